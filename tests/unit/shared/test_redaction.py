"""No secret of a URL is left in a text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.redaction import HIDDEN, has_credentials, redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:hush@h:6379/0", "redis://:***@h:6379/0"),
        ("rediss://user:hush@h", "rediss://user:***@h"),
        ("at redis://u:p@ss/w:rd@h/0 and more", "at redis://u:***@h/0 and more"),
        ("https://token@h/x", "https://***@h/x"),
        ("sentinel://:a@h1;sentinel://:b@h2", "sentinel://:***@h2"),
        ("http://h/?X-Amz-Signature=abc&x=1", "http://h/?X-Amz-Signature=***&x=1"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_passwords_are_hidden_and_the_rest_is_kept(text, expected):
    assert redact(text) == expected
    assert has_credentials(text) == (text != expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer eyJhbGciOi.x.y", "Authorization: ***"),
        ("sent {'authorization': 'Basic dXNlcjpodXNo', 'host': 'h'}", "sent {'authorization': '***', 'host': 'h'}"),
        ("{b'Authorization': b'AWS4-HMAC-SHA256 Credential=A/b, Signature=c'}", "{b'Authorization': b'***'}"),
        ("X-Api-Key=0123456789abcdef and more", "X-Api-Key=*** and more"),
        ("authorization: none", "authorization: none"),
        ("no authorization for this bucket", "no authorization for this bucket"),
    ],
)
def test_headers_that_open_doors_are_hidden(text, expected):
    """W1-21."""
    assert redact(text) == expected


@given(st.text("ab:/@%;?&=.", min_size=1, max_size=12))
def test_whatever_a_password_holds_it_is_not_shown(noise):
    secret = f"{noise}SECRET{noise}"

    assert "SECRET" not in redact(f"cannot reach redis://user:{secret}@host:6379/0: refused")


def test_a_long_word_takes_no_longer_than_its_length() -> None:
    """What a job prints may be one line of base64; every way to end it was tried from every letter on."""
    long = "x" * (1 << 20)
    began = time.perf_counter()

    assert redact(long) == long
    assert redact(f"{long}://user:secret@host") == f"{long}://user:{HIDDEN}@host"

    assert time.perf_counter() - began < 5
