"""Patience: trying again within so many seconds, and how long each try may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.clock import Clock

LEAST = 1.0  # seconds: a healthy server under load may need them, however short the patience


def limited(seconds: float, patience: float) -> float:
    """Seconds that one call may take: what it usually may, less where all of them together have less."""
    return max(LEAST, min(seconds, patience))


def tries(clock: Clock, patience: float, pauses: Iterable[float]) -> Iterator[None]:
    """Once, and again after each pause, while so many seconds since the first try are not over."""
    until = clock.monotonic() + patience
    yield
    for pause in pauses:
        if clock.monotonic() + pause >= until:
            return
        clock.sleep(pause)
        yield
