"""FakeClock: moves only when told, or when someone sleeps on it."""

from __future__ import annotations

import threading


class FakeClock:
    """A Clock for tests; sleeping moves it on at once."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._guard = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> float:
        """See Clock."""
        return self._now

    def monotonic(self) -> float:
        """See Clock."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        with self._guard:
            self._now += seconds
            self._monotonic += seconds

    def set_back(self, seconds: float) -> None:
        """Have someone correct the wall clock; durations are not concerned."""
        with self._guard:
            self._now -= seconds
