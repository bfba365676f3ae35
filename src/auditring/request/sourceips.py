"""Tell the addresses that a request came through, as its headers and its peer say.

Source: Kubernetes v1.36, `SourceIPs`, with its parser that forgives leading zeros.
"""

import functools
import ipaddress
import re

__all__ = ["source_ips"]

# Longer texts with zeros in front are addresses, too, but not worth being remembered.
REMEMBERED_MAX_CHARS = 64
REMEMBERED_MAX = 4096

# What Go's TrimSpace takes away.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)

_IPV4 = re.compile(r"0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})")
_BRACKETS = re.compile(r"[\[\]]")
_FIRST_SEPARATOR = re.compile("[.:]")
_ZEROS_IN_FRONT = re.compile(r"(?<![0-9A-Fa-f])0+(?=[0-9A-Fa-f])")


def source_ips(forwarded_for: str, real_ip: str, peer: str) -> tuple[str, ...]:
    """Return the canonical texts of the addresses, the peer's last.

    Args:
        forwarded_for: First value of the header X-Forwarded-For: addresses joined by
            commas. What isn't one is left out.
        real_ip: First value of X-Real-Ip. Left out if it's among those before.
        peer: Address that the connection is from, with or without a port. Left out if
            it's the last of those before.
    """
    addresses: list[str] = []
    if forwarded_for:
        texts = (_canonical(part.strip(_SPACE)) for part in forwarded_for.split(","))
        addresses = [text for text in texts if text]
    if real_ip:
        real = _canonical(real_ip)
        if real and real not in addresses:
            addresses.append(real)
    nearest = _canonical(_host(peer)) or _canonical(peer)
    if nearest and addresses[-1:] != [nearest]:
        addresses.append(nearest)
    return tuple(addresses)


def _host(peer: str) -> str:
    """Return *peer* without its port; empty if it has none, as Go's SplitHostPort."""
    host, colon, port = peer.rpartition(":")
    if not colon:
        return ""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return ""
    return "" if _BRACKETS.search(host + port) else host


def _canonical(text: str) -> str:
    """Return the one text of the address that *text* means; empty if it's none."""
    if len(text) > REMEMBERED_MAX_CHARS:
        return _parse(text)
    return _parse_remembered(text)


def _parse(text: str) -> str:
    separator = _FIRST_SEPARATOR.search(text)
    if separator is None:
        return ""
    return _parse_ipv4(text) if separator[0] == "." else _parse_ipv6(text)


_parse_remembered = functools.lru_cache(maxsize=REMEMBERED_MAX)(_parse)


def _parse_ipv4(text: str) -> str:
    octets = _IPV4.fullmatch(text)
    if octets is None:
        return ""
    numbers = [int(octet) for octet in octets.groups()]
    return ".".join(map(str, numbers)) if max(numbers) <= 255 else ""


def _parse_ipv6(text: str) -> str:
    if "%" in text:
        return ""  # a zone, which ipaddress would take
    try:
        address = ipaddress.IPv6Address(_ZEROS_IN_FRONT.sub("", text))
    except ValueError:
        return ""
    return str(address.ipv4_mapped or address)
