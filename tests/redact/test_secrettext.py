"""Secrets are found by names and by what they look like, in time that grows evenly."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.event import rawjson
from auditring.redact import _secretsigns
from auditring.redact.scrubbedquery import QUERY_LOOKS_MAX, scrub_uri
from auditring.redact.secrettext import (
    has_sign,
    is_secret_name,
    is_secret_option,
    scrub_text,
)

BOOTSTRAP_TOKEN = r"[a-z0-9]{6}\.[a-z0-9]{16}"
OF_WORD = "[a-z0-9\u0080-\U0010ffff]"
PLAIN_SIGN = re.compile(
    "|".join(
        [
            *map(re.escape, {*_secretsigns.SIGNS} - {*_secretsigns.WHOLE_WORDS}),
            rf"(?<!{OF_WORD})(?:{'|'.join(_secretsigns.WHOLE_WORDS)})(?!{OF_WORD})",
            rf"(?-i:{BOOTSTRAP_TOKEN})",
        ]
    ),
    re.IGNORECASE | re.ASCII,
)
NEARLY_SIGNS = st.lists(
    st.sampled_from(_secretsigns.SIGNS)
    | st.sampled_from(["0123ab", ".", "0123456789abcdef", "A", "é", "-", ""])
    | st.text(max_size=3),
    max_size=4,
).map("".join)


def hide(secret: str) -> str:
    return f"<{secret}>"


@given(NEARLY_SIGNS, st.integers(0, 5), st.integers(0, 5), st.booleans())
def test_a_sign_is_seen_wherever_it_stands(
    text: str, start: int, end: int, is_upper: bool
) -> None:
    text = text[start : len(text) - end]
    text = text.upper() if is_upper else text
    expected = PLAIN_SIGN.search(text) is not None

    assert has_sign(text) is expected
    assert has_sign(text.encode()) is expected


@pytest.mark.parametrize("text", ["", "x", "\udcff"])
def test_texts_of_no_length_and_of_odd_bytes_can_be_looked_at(text: str) -> None:
    assert has_sign(text) is (text == "\udcff")


def test_what_is_no_text_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        has_sign(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        *("password", "DB_PASSWORD", "dbPassword", "db-passwd", "tokens", "auth"),
        *("AWS_SECRET_ACCESS_KEY", "api-key", "apiKey", "client-key-data", "tls.key"),
        *("clientSecret", "Authorization", "Set-Cookie", ".dockerconfigjson"),
        *("connectionString", "kubeConfig", "ssh-privatekey", "credentials", "ca.key"),
    ],
)
def test_a_name_tells(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "name",
            "key",
            "keys",
            "secretName",
            "passwordPolicy",
            "tokenExpirationSeconds",
        ),
        *("author", "authority", "continue", "secretKeyRef", "publicKey", "monkey", ""),
    ],
)
def test_other_names_don_t(name: str) -> None:
    assert not is_secret_name(name)


@given(st.text(max_size=10), st.sampled_from(["Token", "PASSWORD", "api_key", "pwd"]))
def test_only_the_last_word_counts(before: str, word: str) -> None:
    assert is_secret_name(before + word)


@pytest.mark.parametrize("word", ["--password", "-token", "--db-api-key", "--api_key"])
def test_an_option_tells(word: str) -> None:
    assert is_secret_option(word)


@pytest.mark.parametrize("word", ["password", "--password=x", "--password-file", "-x"])
def test_other_words_don_t(word: str) -> None:
    assert not is_secret_option(word)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("password=a b", "password=<a> b"),
        ("password: 'a b', x", "password: '<a b>', x"),
        ('"api_key" : "a\\"b"', '"api_key" : "<a\\"b>"'),
        ('token="a', 'token="<a>"'),
        ("Authorization: Bearer a.b", "Authorization: Bearer <a.b>"),
        ("run --token abc -x", "run --token <abc> -x"),
        ("run --token -x", "run --token -x"),
        ("basic dXNlcjpwdw==", "basic <dXNlcjpwdw==>"),
        ("http://u:p@h/?token=x&y=z", "http://u:<p>@h/?token=<x>&y=z"),
        ("http://h:80/a@b", "http://h:80/a@b"),
        ("secret: |\n  a\n\n  b\nc: d", "secret: <a\n\nb>\nc: d"),
        ("password: >-\r\n  a\r\nb: c", "password: <a>\nb: c"),
        ("a eyJhbGciOi.eyJzdWIi.c2ln b", "a <eyJhbGciOi.eyJzdWIi.c2ln> b"),
        ("ghp_0123456789abcdefghij", "<ghp_0123456789abcdefghij>"),
        ("join abcdef.0123456789abcdef", "join <abcdef.0123456789abcdef>"),
        ("the secret of tokens is no password", "the secret of tokens is no password"),
        ('cannot get resource "secrets" in', 'cannot get resource "secrets" in'),
        ("-----BEGIN PRIVATE KEY-----\nx", "<-----BEGIN PRIVATE KEY-----\nx>"),
        ("<password>a b</password><b>c</b>", "<password><a b></password><b>c</b>"),
        ("<x:Token a='b'>c</x:Token>", "<x:Token a='b'><c></x:Token>"),
        ("<pwd><![CDATA[a<b]]></pwd>", "<pwd><![CDATA[<a<b>]]></pwd>"),
        (
            "password1=a&password_confirmation=b",
            "password1=<a>&password_confirmation=<b>",
        ),
        ("user[password]=a", "user[password]=<a>"),
        ("see https://h/b?sp=r&sig=a%2Fb&x=y", "see https://h/b?sp=r&sig=<a%2Fb>&x=y"),
        (
            "/b?X-Amz-Signature=ab12&X-Amz-Date=1",
            "/b?X-Amz-Signature=<ab12>&X-Amz-Date=1",
        ),
    ],
)
def test_secrets_in_a_text_are_replaced(text: str, scrubbed: str) -> None:
    assert scrub_text(text, hide) == scrubbed


@pytest.mark.parametrize(
    ("uri", "scrubbed"),
    [
        ("/token=x", "/token=x"),
        ("/a?b=c&token=x&d", "/a?b=c&token=%3Cx%3E&d"),
        ("/a?TOKEN=", "/a?TOKEN="),
        ("/a?api%5Fkey=x%20y", "/a?api%5Fkey=%3Cx%20y%3E"),
        ("/a?q=password%3Dx", "/a?q=password%3D%3Cx%3E"),
        ("/a?eyJhbGciOi.eyJzdWIi.c2ln", "/a?%3CeyJhbGciOi.eyJzdWIi.c2ln%3E"),
        ("/a?limit=5&watch", "/a?limit=5&watch"),
        ("/a?", "/a?"),
        ("/a?b=%zz%ff", "/a?b=%zz%ff"),
        ("/a?command=--token&command=x", "/a?command=--token&command=%3Cx%3E"),
        ("/a?command=%2D%2Dtoken&command=x", "/a?command=%2D%2Dtoken&command=%3Cx%3E"),
        ("/a?command=--token&b=x&command=y", "/a?command=--token&b=x&command=%3Cy%3E"),
        (
            "/a?command=login&command=-p&command=x",
            "/a?command=login&command=-p&command=%3Cx%3E",
        ),
        ("/a?command=-p&command=80:80/tcp", "/a?command=-p&command=80:80/tcp"),
        (
            "/a?command=mkdir&command=-p&command=x",
            "/a?command=mkdir&command=-p&command=x",
        ),
        ("/a?command=-u&command=me:x", "/a?command=-u&command=me%3A%3Cx%3E"),
        ("/a?command=mysql&command=-px", "/a?command=mysql&command=-p%3Cx%3E"),
        (
            "/a?command=env&command=FOO_TOKEN%3Dx",
            "/a?command=env&command=FOO_TOKEN%3D%3Cx%3E",
        ),
        (
            "/a?X-Goog-Signature=x&Signature=y",
            "/a?X-Goog-Signature=%3Cx%3E&Signature=%3Cy%3E",
        ),
        ("/a?code=x&y=z", "/a?code=x&y=z"),
        ("/a?code=x&state=z", "/a?code=%3Cx%3E&state=z"),
        ("/a?sig%6Eature=x", "/a?sig%6Eature=%3Cx%3E"),
    ],
)
def test_secrets_in_a_query_are_replaced(uri: str, scrubbed: str) -> None:
    assert scrub_uri(uri, lambda secret: hide(secret) if secret else "") == scrubbed


@given(st.text())
def test_any_text_can_be_scrubbed(text: str) -> None:
    rawjson.quote(scrub_text(text, hide))
    rawjson.quote(scrub_uri(text, hide))


@pytest.mark.parametrize(
    "piece", ["token=a&", "auth=1&", "a=-p&", "%74oken=x&", "a=%41&"]
)
def test_where_looks_end_the_rest_of_a_query_is_masked(piece: str) -> None:
    uri = "/a?" + piece * 10_000 + "token=Zqsecret"

    scrubbed = scrub_uri(uri, lambda secret: "gone")

    assert "Zqsecret" not in scrubbed
    assert scrubbed.count("&") <= QUERY_LOOKS_MAX


def test_a_text_with_too_many_signs_is_masked_whole() -> None:
    assert scrub_text("token: a " * 2000, hide) == hide("token: a " * 2000)
