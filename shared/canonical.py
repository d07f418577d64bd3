"""Stable bytes for a value: canonical JSON, so that equal values have equal digests.

Keys sorted by code point, UTF-8, no white space, NaN and infinities refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")
_PACKER = msgspec.msgpack.Encoder()
# How MessagePack writes NaN and infinities. Other bytes may look like it, but never those of a text in UTF-8.
_NO_NUMBER = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")
_PLAIN = frozenset((str, int, bool, type(None)))


def encode(value: Any) -> bytes:
    """Canonical bytes of a JSON-like value or Struct; ValueError for NaN or an infinity."""
    data = _ENCODER.encode(value)
    # The encoder writes NaN as null, so only a value with a null can hold one.
    if b"null" in data and _NO_NUMBER.search(_PACKER.encode(value)):
        _refuse_nan(msgspec.to_builtins(value))
    return data


def _refuse_nan(value: Any) -> None:
    """ValueError for a float without a canonical form, anywhere in lists and objects."""
    waiting: list[Collection[Any]] = [(value,)]
    while waiting:
        items = waiting.pop()
        # Of a manifest with thousands of lists of paths, nearly all are done with here.
        if _PLAIN.issuperset(map(type, items)):
            continue
        for item in items:
            if isinstance(item, float) and not math.isfinite(item):
                raise ValueError(f"{item} has no canonical form")
            if isinstance(item, dict):
                waiting.append(item.values())
            elif isinstance(item, list | tuple):
                waiting.append(item)
