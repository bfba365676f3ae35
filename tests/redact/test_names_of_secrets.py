"""What secrets are called in applications is masked, and what only sounds so isn't.

Who else may be there: a form in another language, a second factor, a card, a client of
OAuth, a query of GraphQL, JSON in a string; a page about passports and passengers.
"""

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.event import Event
from auditring.redact import Redactor, _percent

SECRET = "Zq7hunter2xKp"
SECRETS = [
    *("pwd", "passwd", "passphrase", "pass_phrase", "new_password1", "old_password"),
    *("passwort", "kennwort", "mot_de_passe", "contraseña", "senha", "wachtwoord"),
    *("otp", "otp_code", "otpCode", "totp", "mfa_code", "mfaCode", "pin", "PIN"),
    *("pin_code", "pinCode", "unlock_pin", "verification_code", "securityCode"),
    *("recovery_codes", "backup_code", "security_answer", "seedPhrase", "mnemonic"),
    *("cvv", "card_cvc", "client_secret", "assertion", "client_assertion"),
    *("refresh_token", "code_verifier", "device_code", "oauth_verifier"),
    *("Authorization", "Set-Cookie", "sessionid", "session_id", "JSESSIONID"),
    *("PHPSESSID", "SAMLResponse", "account_key", "masterKey", "license_key"),
    *("password_hash", "passwordHash", "password[]", "passwords[0]", "j_password"),
    *("user[password]", "authenticity_token", "csrfmiddlewaretoken", "dbPassword"),
]
NO_SECRETS = [
    *("passport", "passport_number", "compass", "bypass", "passed", "passenger"),
    *("password_policy", "password_changed_at", "has_password", "is_secret"),
    *("token_count", "max_tokens", "prompt_tokens", "max_new_tokens", "token_type"),
    *("secretary", "secret_name", "cookie_consent", "pinned", "spin", "shipping"),
    *("pinterest", "opinion", "code", "zip_code", "status_code", "session", "key"),
    *("primary_key", "author", "authorized", "keyboard", "assignature", "monkey"),
]


def _in_json(name: str) -> Event:
    return Event(request_object=json.dumps({"a": [{name: SECRET}]}).encode())


def _in_graphql(name: str) -> Event:
    body = {
        "query": "mutation($i: I!) { f(i: $i) }",
        "variables": {"i": {name: SECRET}},
    }
    return Event(request_object=json.dumps(body, ensure_ascii=False).encode())


def _in_a_string(name: str) -> Event:
    inner = json.dumps({name: SECRET})
    return Event(request_object=json.dumps({"payload": inner}).encode())


def _in_a_form(name: str) -> Event:
    return Event(request_object=urlencode({"user": "a", name: SECRET}).encode())


def _in_a_query(name: str) -> Event:
    return Event(request_uri="/x?" + urlencode({"user": "a", name: SECRET}))


WAYS = [_in_json, _in_graphql, _in_a_string, _in_a_form, _in_a_query]


def shown(event: Event) -> str:
    redacted = Redactor().redact(event)
    return redacted.request_uri + (redacted.request_object or b"").decode()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SECRETS)
def test_what_is_called_like_a_secret_is_masked(
    name: str, way: Callable[[str], Event]
) -> None:
    assert SECRET not in shown(way(name))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NO_SECRETS)
def test_what_only_sounds_like_a_secret_stays(
    name: str, way: Callable[[str], Event]
) -> None:
    assert SECRET in shown(way(name))


@pytest.mark.parametrize(
    "pair",
    [
        {"Name": "DB_PASSWORD", "Value": SECRET},
        {"Key": "DB_PASSWORD", "Value": SECRET},
        {"field": "password", "value": SECRET},
    ],
)
def test_a_pair_of_a_secret_name_and_a_value_is_masked_however_it_is_spelled(
    pair: dict[str, str],
) -> None:
    event = Event(request_object=json.dumps({"a": [pair]}).encode())

    assert SECRET not in shown(event)


@pytest.mark.parametrize(
    "uri",
    [
        f"/x;jsessionid={SECRET}",
        f"/x;JSESSIONID={SECRET}?a=b",
        f"http://alice:{SECRET}@host/x",
        f"/x?Expires=1&hmac={SECRET}",
        f"/x?a=b&X-Amz-Signature={SECRET}",
        f"/x?sv=1&sig={SECRET}",
    ],
)
def test_a_secret_in_an_address_is_masked_outside_of_parameters_too(uri: str) -> None:
    assert SECRET not in shown(Event(request_uri=uri))


@pytest.mark.parametrize("size", range(24, 40))
@pytest.mark.parametrize("tail", ["", "\\", '"', '\\"', "\\\\", "é"])
def test_a_long_string_before_a_secret_hides_it_from_nobody(
    size: int, tail: str
) -> None:
    body = {
        "a": "x" * size + tail,
        "b": ["y" * size + tail + "y" * size],
        "pwd": SECRET,
    }
    event = Event(request_object=json.dumps(body, ensure_ascii=False).encode())

    redacted = Redactor().redact(event).request_object

    assert json.loads(redacted or b"") == body | {"pwd": "[redacted]"}


@given(st.text(st.sampled_from("%25Cc3+é\udcffz\udcc3"), max_size=12))
def test_percents_are_read_as_bytes(text: str) -> None:
    data = text.encode(errors="surrogateescape").decode("latin-1")
    expected = unquote_plus(data, "latin-1").encode("latin-1")

    assert _percent.unquote_plus(text).encode(errors="surrogateescape") == expected


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.just("\udcff")))
def test_percents_are_written_as_the_standard_library_does(text: str) -> None:
    written = _percent.quote(text)

    assert written == quote(text, safe="", errors="surrogateescape")
    assert quote_plus(text, errors="surrogateescape").replace("+", "%20") == written
