"""Twins: a job that was sent again while this worker still runs it is not run beside itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from shared.model.job import JobOrder, JobOutcome


class Run:
    """One run of a job; `outcome` is set once it is over, if it came to one."""

    def __init__(self, order: JobOrder) -> None:
        self.order = _apart_from_its_try(order)
        self.outcome: JobOutcome | None = None
        self._over = threading.Event()

    def end(self) -> None:
        """Have those who wait go on."""
        self._over.set()

    def wait_for(self, order: JobOrder) -> JobOutcome | None:
        """Wait for its end: what came of it, as an outcome of another try; None where that says nothing of this one.

        A run may have failed for what happened to it, as by its time limit while the machine stood still.
        """
        self._over.wait()
        if self.outcome is None or self.outcome.status not in ("executed", "reused"):
            return None
        return msgspec.structs.replace(self.outcome, attempt=order.attempt)


class Twins:
    """The runs under way on this worker; thread-safe.

    A worker that was silent for too long, as with a machine that stood still, is given its jobs again when it is back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], list[Run]] = {}

    def of(self, order: JobOrder) -> Run | None:
        """The run of the very same job that is under way, if there is one."""
        with self._lock:
            runs = list(self._runs.get((order.build, order.job), ()))
        same = _apart_from_its_try(order) if runs else order
        return next((run for run in runs if run.order == same), None)

    @contextmanager
    def running(self, order: JobOrder) -> Iterator[Run]:
        """A run that is under way for as long as the block is."""
        run, key = Run(order), (order.build, order.job)
        with self._lock:
            self._runs.setdefault(key, []).append(run)
        try:
            yield run
        finally:
            with self._lock:
                self._runs[key].remove(run)
                if not self._runs[key]:
                    del self._runs[key]
            run.end()


def _apart_from_its_try(order: JobOrder) -> JobOrder:
    """An order without what differs when the same job is sent again."""
    return msgspec.structs.replace(order, attempt=0, looked=0.0, carried={})
