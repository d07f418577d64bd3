"""Stable bytes for a value: canonical JSON, so that equal values have equal digests.

Keys sorted by code point, UTF-8, no white space, NaN and infinities refused.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """Canonical bytes of a JSON-like value or Struct; ValueError for NaN or an infinity."""
    data = _ENCODER.encode(value)
    # The encoder writes NaN as null, so only a value with a null can hold one.
    if b"null" in data:
        _refuse_nan(msgspec.to_builtins(value))
    return data


def _refuse_nan(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no canonical form")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_nan(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_nan(item)
