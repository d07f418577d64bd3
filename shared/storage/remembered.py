"""What was found out about a server, kept in a small file for a day."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shared import atomic
from shared.clock import Clock

_SECONDS = 86400.0


class _Entry(msgspec.Struct, frozen=True):
    at: float
    facts: dict[str, bool]


class Remembered:
    """Facts about one place in a file shared by all; a lost or damaged file only means finding out again."""

    def __init__(self, path: Path, place: str, clock: Clock) -> None:
        self._path, self._place, self._clock = path, place, clock
        self._own: dict[str, bool] | None = None

    def get(self, fact: str) -> bool | None:
        """The fact; None when it is not known, or too old."""
        if self._own is None:
            entry = self._entries().get(self._place)
            fresh = entry is not None and 0 <= self._clock.now() - entry.at < _SECONDS
            self._own = entry.facts if entry is not None and fresh else {}
        return self._own.get(fact)

    def keep(self, **facts: bool) -> None:
        """Remember; LocalError when the file cannot be written."""
        self._own = facts
        entries = self._entries() | {self._place: _Entry(self._clock.now(), facts)}
        atomic.write_atomic(self._path, msgspec.json.encode(entries), durable=False)

    def _entries(self) -> dict[str, _Entry]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Entry])
        except (OSError, msgspec.DecodeError):
            return {}
