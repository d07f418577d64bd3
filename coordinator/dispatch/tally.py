"""Tally: what a build did in all its passes, each execution once; and the performer that tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from coordinator.dispatch.performer import Performer, Report
from coordinator.dispatch.report import RunReport
from coordinator.progress import How
from shared.model.job import JobOrder, JobOutcome

Execution = tuple[str, str]  # the job and the key of its result


class Tally:
    """Heard of every outcome, also of one that no longer counts for the pass it was meant for. Thread-safe.

    bytes_up, bytes_down, written, removed: what earlier passes moved, and the outputs they wrote and removed.
    vanished: the jobs whose stored outputs the last one missed.
    """

    def __init__(self) -> None:
        self.bytes_up = self.bytes_down = 0
        self.written: dict[str, None] = {}
        self.removed: dict[str, None] = {}
        self.vanished: frozenset[str] = frozenset()
        self._seconds = 0.0
        self._up = self._down = 0
        self._now: list[Execution] = []
        self._earlier: list[Execution] = []
        self._lock = threading.Lock()

    def hear(self, report: Report) -> None:
        """Something a performer reports."""
        if not isinstance(report, JobOutcome):
            return
        with self._lock:
            self._up += report.bytes_up
            self._down += report.bytes_down
            if report.status == "executed" and report.result is not None:
                self._now.append((report.job, report.result.key))
                self._seconds += report.result.timings.run

    def end_pass(self, *, bytes_up: int, bytes_down: int, written: Iterable[str], removed: Iterable[str]) -> None:
        """The plan turned out to be no longer true; another pass begins. What this side moved beside the workers."""
        self.written.update(dict.fromkeys(written))
        self.removed.update(dict.fromkeys(removed))
        with self._lock:
            self._earlier += self._now
            self._now = []
            self.bytes_up += self._up + bytes_up
            self.bytes_down += self._down + bytes_down
            self._up = self._down = 0

    @property
    def executed(self) -> int:
        """Commands that ran to success, in all passes."""
        with self._lock:
            return len(self._earlier) + len(self._now)

    @property
    def seconds(self) -> float:
        """What those commands took, one after the other."""
        with self._lock:
            return self._seconds

    @property
    def earlier(self) -> tuple[Execution, ...]:
        """What earlier passes executed, each time it did."""
        with self._lock:
            return tuple(self._earlier)

    def own(self, ran: RunReport) -> frozenset[str]:
        """The jobs that took what an earlier pass made: that is no reuse, for this build paid for it."""
        made = frozenset(self.earlier)
        taken = (job for job, way in ran.how.items() if way != "executed")
        return frozenset(job for job in taken if (job, ran.results[job].key) in made)

    def reused(self, ran: RunReport) -> dict[str, How]:
        """The other jobs that were not executed, each with how it was come by."""
        own = self.own(ran)
        return {job: way for job, way in ran.how.items() if way != "executed" and job not in own}


class Tallied:
    """A Performer that lets a tally hear what another reports."""

    def __init__(self, inner: Performer, tally: Tally) -> None:
        self._inner, self._tally = inner, tally

    def open(self, deliver: Callable[[Report], None]) -> None:
        """See Performer."""

        def tell(report: Report) -> None:
            self._tally.hear(report)
            deliver(report)

        self._inner.open(tell)

    def slots(self) -> int:
        """See Performer."""
        return self._inner.slots()

    def room(self) -> int:
        """See Performer."""
        return self._inner.room()

    def submit(self, orders: Sequence[JobOrder]) -> None:
        """See Performer."""
        self._inner.submit(orders)

    def after_failure(self, *, stop: bool) -> None:
        """See Performer."""
        self._inner.after_failure(stop=stop)

    def cancel(self) -> None:
        """See Performer."""
        self._inner.cancel()

    def close(self) -> None:
        """See Performer."""
        self._inner.close()
