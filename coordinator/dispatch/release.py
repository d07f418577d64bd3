"""ReadyJobs: which jobs may begin: those whose needs are done, in strict layers only when their layer is open."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from coordinator.dispatch.states import ENDED, JobRun, State
from coordinator.dispatch.table import JobTable


class ReadyJobs:
    """A heap by priority. With `strict`, layer N opens when every job of the layers before has ended."""

    def __init__(self, runs: JobTable, layers: Sequence[Sequence[str]], *, strict: bool) -> None:
        self._runs, self._layers, self._strict = runs, layers, strict
        self._open = 0
        self._heap: list[tuple[bool, float, str]] = []

    def __bool__(self) -> bool:
        return bool(self._heap)

    def release(self, run: JobRun) -> None:
        """Make a waiting job ready if nothing holds it any more."""
        may = not self._strict or run.early or run.layer <= self._open
        if may and run.state is State.WAITING and not run.waiting:
            self.add(run)

    def hasten(self, ids: Iterable[str]) -> None:
        """A job of an open layer waits for these after all: theirs need not be open."""
        for run in filter(None, map(self._runs.get, ids)):
            run.early = True
            self.release(run)

    def add(self, run: JobRun) -> None:
        """Make a job ready, whatever it waited for."""
        self._runs.move(run, State.READY)
        # What is sure to run has begun by the time that results of the others are found.
        heapq.heappush(self._heap, (not run.sure, -run.priority, run.id))

    def take(self) -> JobRun | None:
        """The ready job with the longest chain behind it; before all, one that is sure to run."""
        while self._heap:
            run = self._runs[heapq.heappop(self._heap)[-1]]
            if run.state is State.READY:
                return run
        return None

    def ended(self) -> None:
        """A job has ended: the next layer may open."""
        while self._strict and self._open < len(self._layers) and self._over(self._layers[self._open]):
            self._open += 1
            for id_ in self._layers[self._open] if self._open < len(self._layers) else ():
                self.release(self._runs[id_])

    def _over(self, layer: Sequence[str]) -> bool:
        return all(self._runs[id_].state in ENDED for id_ in layer)
