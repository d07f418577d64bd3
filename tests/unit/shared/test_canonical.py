"""Canonical bytes: equal for equal values, and none for what has no form that others read."""

from __future__ import annotations

import math

import msgspec
import pytest

from shared import canonical


class Entry(msgspec.Struct):
    seconds: float
    depfile: str | None = None


def test_equal_values_have_equal_bytes():
    assert canonical.encode({"b": [1, None], "a": "é"}) == canonical.encode({"a": "é", "b": (1, None)})
    assert canonical.encode({"b": 1.5, "a": None}) == b'{"a":null,"b":1.5}'


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda bad: bad,
        lambda bad: ["null", 1, bad],
        lambda bad: {"a": {"b": [["x"], [{"c": bad}]]}},
        lambda bad: (1, ("null",), Entry(bad)),
        lambda bad: {"jobs": {"one": Entry(1.0), "two": Entry(bad, "d")}},
    ],
)
def test_a_float_without_a_form_is_refused_wherever_it_is(bad, wrap):
    with pytest.raises(ValueError, match="has no canonical form"):
        canonical.encode(wrap(bad))
