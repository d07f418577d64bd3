"""Trying again what a store could not do just now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.patience import tries

T = TypeVar("T")
PAUSES = (0.2, 1.0, 3.0)  # seconds before the second, third and fourth try


def patiently(clock: Clock, call: Callable[[], T], stopped: Callable[[], bool], patience: float) -> T:
    """What the call returns.

    StoreUnavailable once four tries failed or so many seconds are over, or as soon as nobody waits any more.
    """
    failure = StoreUnavailable("no store was asked")
    for _ in tries(clock, patience, PAUSES):
        try:
            return call()
        except StoreUnavailable as error:
            failure = error
            if stopped():
                break
    raise failure
