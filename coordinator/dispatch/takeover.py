"""Takeover: when a build may send jobs, given that one before it died with jobs on the farm. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from shared.queue import Beat

SETTLED = 1.5  # heartbeats after which each live worker has told what it ran once the dead builds were cancelled
LONGEST = 30.0  # seconds: a worker that cannot end a job must not hold up every build


class Takeover:
    """builds: those cancelled at `now`; heartbeat: seconds."""

    def __init__(self, builds: Iterable[str], now: float, heartbeat: float) -> None:
        self.builds = frozenset(builds)
        self._settled, self._longest = now + SETTLED * heartbeat, now + max(LONGEST, SETTLED * heartbeat)
        self._over = not self.builds

    def over(self) -> bool:
        """Whether nothing of the dead builds runs any more, as far as was looked."""
        return self._over

    def look(self, now: float, beats: Iterable[Beat]) -> None:
        """What the live workers say they run."""
        runs = any(running.build in self.builds for beat in beats for running in beat.running)
        self._over = self._over or now >= self._longest or (now >= self._settled and not runs)
