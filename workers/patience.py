"""Trying again what a store could not do just now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shared.clock import Clock
from shared.errors import StoreUnavailable

T = TypeVar("T")
PAUSES = (0.2, 1.0, 3.0)  # seconds before the second, third and fourth try


def patiently(clock: Clock, call: Callable[[], T], stopped: Callable[[], bool]) -> T:
    """What the call returns; StoreUnavailable once four tries failed, or as soon as nobody waits any more."""
    for pause in PAUSES:
        try:
            return call()
        except StoreUnavailable:
            if stopped():
                raise
        clock.sleep(pause)
    return call()
