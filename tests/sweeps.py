"""How far a sweep goes: a sample of it in the ordinary suite, all of it where WINDROW_SWEEPS=all (`make faults`)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import pytest

ALL = os.environ.get("WINDROW_SWEEPS") == "all"


def sampled(values: Iterable[str], ordinary: Collection[str]) -> list[object]:
    """Parameters of a test; those that are not `ordinary` are slow ones."""
    return [value if value in ordinary else pytest.param(value, marks=pytest.mark.slow) for value in values]
