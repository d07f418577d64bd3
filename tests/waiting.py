"""Waits on conditions, for tests: looks often, gives up in time, and says what it waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], *, seconds: float = 10.0, what: str = "") -> T:
    """The condition's first true value; AssertionError if there was none in so many seconds.

    A machine that stands still for a minute, as virtual ones do now and then, stands still as a whole: of the time
    between two looks no more than a second counts.
    """
    waited, looked, pause = 0.0, time.monotonic(), Event()
    while not (value := condition()):
        now = time.monotonic()
        waited, looked = waited + min(now - looked, 1.0), now
        if waited > seconds:
            raise AssertionError(f"waited {seconds:g} s in vain for {what or getattr(condition, '__name__', 'it')}")
        pause.wait(0.02)
    return value
