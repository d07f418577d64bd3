"""Fitness: which platforms this machine's tools make it fit for, looked at again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from shared import queue
from shared.clock import Clock
from shared.errors import WindrowError

RECHECK_SECONDS = 5.0  # between two looks at tools that are known already
FRESH_SECONDS = 1.0  # how old such a look may be when a batch begins

_log = logging.getLogger("windrow.worker")


class Fitness:
    """fingerprint: tool names to platform (WindrowError if one is not here). pinned: served whatever the tools are."""

    def __init__(self, fingerprint: Callable[[Sequence[str]], str], *, pinned: Iterable[str], clock: Clock) -> None:
        self._fingerprint, self._pinned, self._clock = fingerprint, frozenset(pinned), clock
        self._lock = threading.Lock()
        self._found: dict[tuple[str, ...], str | WindrowError] = {}
        self._looked = clock.monotonic()

    def consider(self, wanted: Iterable[tuple[str, ...]]) -> None:
        """Look at toolsets that are new, and at all again when the last look is RECHECK_SECONDS old."""
        known = list(self._found)
        new = [tools for tools in wanted if tools not in self._found]
        if self._clock.monotonic() - self._looked > RECHECK_SECONDS:
            self._look([*known, *new])
        elif new:
            self._look(new, all_of_them=False)

    def serves(self, platform: str) -> bool:
        """Whether the tools are those of a platform just now."""
        if self._clock.monotonic() - self._looked > FRESH_SECONDS:
            self._look(list(self._found))
        return platform in self.platforms()

    def platforms(self) -> frozenset[str]:
        """The platforms of all known toolsets, as of the last look."""
        with self._lock:
            return self._pinned | {found for found in self._found.values() if isinstance(found, str)}

    def unfit(self) -> dict[str, str]:
        """Toolsets this machine cannot serve, and why."""
        with self._lock:
            return {queue.toolset(t): e.what for t, e in self._found.items() if isinstance(e, WindrowError)}

    def _look(self, toolsets: Sequence[tuple[str, ...]], *, all_of_them: bool = True) -> None:
        looked = self._clock.monotonic()
        for tools in toolsets:
            found: str | WindrowError
            try:
                found = self._fingerprint(tools)
            except WindrowError as error:
                found = error
            with self._lock:
                news = not _same(self._found.get(tools), found)
                self._found[tools] = found
            if news:
                _log.info("tools %s: %s", " ".join(tools) or "(none)", found if isinstance(found, str) else found.what)
        if all_of_them:
            self._looked = looked


def _same(one: str | WindrowError | None, other: str | WindrowError) -> bool:
    if isinstance(one, WindrowError) and isinstance(other, WindrowError):
        return one.what == other.what
    return one == other
