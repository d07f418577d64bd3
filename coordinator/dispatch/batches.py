"""PreparedJobs: jobs ready to be performed, handed out in batches, the longest chain first."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping

from coordinator.dispatch.permits import Permits, Unbounded
from coordinator.dispatch.states import JobRun, State
from shared.model.graph import Recipe
from shared.model.plan import AlwaysRuns, PlannedJob

TINY_SECONDS = 0.05  # jobs expected to be shorter travel together
BATCH_SECONDS = 0.2
BATCH_JOBS = 64


class PreparedJobs:
    """A heap by priority, and a count of the batches under way.

    Never more batches are out than the performer needs: the order stays ours, and little is hoarded. Of a pool no
    more jobs are out than its depth, nor than `permits` allow.
    """

    def __init__(self, pools: Mapping[str, int] | None = None, permits: Permits | None = None) -> None:
        self._permits = permits or Unbounded()
        self._pools = pools or {}
        self._out: Counter[str] = Counter()
        self._held: dict[str, list[JobRun]] = {}
        self._heap: list[tuple[float, str]] = []
        self._runs: dict[str, JobRun] = {}
        self._left: dict[int, int] = {}
        self._batch_of: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap) + sum(map(len, self._held.values()))

    def add(self, run: JobRun) -> None:
        """Take on a job whose order is written."""
        self._runs[run.id] = run
        heapq.heappush(self._heap, (-run.priority, run.id))

    @property
    def out(self) -> int:
        """How many jobs are out."""
        return sum(self._left.values())

    def batches(self, most: int, jobs: int | None = None) -> Iterator[list[JobRun]]:
        """What to hand over now, so that at most so many are out; jobs: of these at most so many jobs."""
        for pool in self._permits.again():
            self._release(pool)
        credit, left = most - len(self._left), math.inf if jobs is None else jobs
        while self._heap and credit > 0 and left > 0:
            batch = self._take(int(min(math.ceil(len(self._heap) / credit), BATCH_JOBS, left)))
            left -= len(batch)
            if batch:
                self._count += 1
                self._left[self._count] = len(batch)
                self._batch_of.update((run.id, self._count) for run in batch)
                yield batch
            credit -= 1

    def ended(self, run: JobRun) -> None:
        """A job of a batch has its outcome."""
        if run.pool in self._pools:
            self._out[run.pool] -= 1
            self._permits.give_back(run.pool, run.id)
            self._release(run.pool)
        number = self._batch_of.pop(run.id)
        self._left[number] -= 1
        if not self._left[number]:
            del self._left[number]

    def _room(self, run: JobRun) -> bool:
        return self._out[run.pool] < self._pools[run.pool] and self._permits.take(run.pool, run.id)

    def _release(self, pool: str) -> None:
        for waiting in self._held.pop(pool, ()):
            self.add(waiting)

    def _take(self, limit: int) -> list[JobRun]:
        """The next job, and with it others as small while together they stay small."""
        batch: list[JobRun] = []
        seconds = 0.0
        while self._heap and len(batch) < limit:
            run = self._runs[self._heap[0][1]]
            # One that was prepared anew while it waited is there twice.
            if run.state is not State.PREPARED or (batch and batch[-1] is run):
                heapq.heappop(self._heap)
                continue
            # Before its pool is asked: a permit is for what is handed over.
            if batch and (not run.tiny or seconds + run.expected > BATCH_SECONDS):
                break
            if run.pool in self._pools and not self._room(run):
                heapq.heappop(self._heap)
                self._held.setdefault(run.pool, []).append(run)
                continue
            heapq.heappop(self._heap)
            self._out[run.pool] += 1
            batch.append(run)
            seconds += run.expected
            if not run.tiny:
                break
        return batch


def planned_run(job: PlannedJob, recipe: Recipe, priority: float, needs: set[str]) -> JobRun:
    """A job of the plan at its beginning."""
    return JobRun(
        job.id,
        job.layer,
        priority,
        job.expected,
        needs,
        tiny=not recipe.pool and (recipe.kind == "noop" or 0 < job.expected < TINY_SECONDS),
        sure=any(isinstance(reason, AlwaysRuns) for reason in job.reasons),
        pool=recipe.pool,
        here=recipe.place != "any",
    )
