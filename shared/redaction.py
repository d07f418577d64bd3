"""Takes secrets out of texts that people will read."""

from __future__ import annotations

import re

HIDDEN = "***"
# Greedy up to the last "@" of a word: a password may hold "/", ":", "@" or even "://" that nobody escaped.
# Of several addresses in one word only the last host is left: too much hidden is better than too little.
# A scheme is looked for once a word, from its beginning: from each letter on, a line of 64 KB took half a minute.
_USERINFO = re.compile(r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z0-9+.-]+://)(?P<user>[^\s/:@]*(?=:))?(?P<rest>\S*)@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[\w.-]*(?:password|passwd|secret|token|signature|credential)[\w.-]*|sig|access_key(?:_id)?)=)[^&;#\s]+",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?P<name>\b(?:authorization|x-api-key)[\"']?\s*[:=]\s*[bB]?[\"']?)"
    r"(?:(?:AWS4-HMAC-SHA256|Bearer|Basic|Digest|Token)\s[^\r\n\"']+|[^\s\"']{8,})",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with `***` for passwords of URLs, secret query parameters, and the values of headers that open doors."""
    text = _PARAMETER.sub(rf"\g<name>{HIDDEN}", _USERINFO.sub(_hide, text))
    return _HEADER.sub(rf"\g<name>{HIDDEN}", text)


def has_credentials(url: str) -> bool:
    """Whether a URL holds a user, a password or a secret parameter."""
    return _USERINFO.search(url) is not None or _PARAMETER.search(url) is not None


def _hide(found: re.Match[str]) -> str:
    user = found["user"]
    return f"{found['scheme']}{user}:{HIDDEN}@" if user is not None else f"{found['scheme']}{HIDDEN}@"
