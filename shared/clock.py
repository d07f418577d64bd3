"""Clock protocol and SystemClock; nothing else in the tree asks for the time or sleeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time that tests can move by hand."""

    def now(self) -> float:
        """Seconds since the epoch; for records people read, never for decisions across hosts."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; for durations and leases."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """See Clock."""
        return time.time()

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds)


def iso(seconds: float) -> str:
    """ISO 8601 in UTC to the millisecond, e.g. 2026-11-21T02:26:00.000Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 text, in UTC unless it says otherwise; ValueError if it is none."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
