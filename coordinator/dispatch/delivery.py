"""Delivery: who was sent what, who began it, what is lost and must be sent again. Pure; the time is an argument.

A batch is one message: waiting to be sent -> sent -> claimed by a worker -> gone when all its jobs ended.
A batch that is sent again as it is keeps its number, and the claim drops the twin. Jobs of a batch that a
worker took to its grave go out again in batches of one, so that only the job at fault is ever given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from shared.model.job import JobOrder, JobOutcome

LOST_IN_TRANSIT = 2.0  # seconds that a message may be in no queue and with no worker
OVERTAKEN = 5.0  # seconds since a later message of the queue was claimed, doubled each time
STALE = 30.0  # seconds after which an unclaimed message is sent again in any case, doubled each time
MAX_TRANSIT = 5  # losses in transit of one batch that count as one lost worker
MAX_LOST = 3
RETRY_DELAY = 0.5  # seconds before a job is tried again after its machine failed, doubled each time
GAP = 5.0  # seconds between two looks after which this process was asleep, and knows nothing
LAST_WORDS = 0.3  # seconds to read what a worker that is gone still reported
DIED = "the worker died"
RETURNED_SIZE = 8  # jobs a batch when a worker gave them back


class Parcel(NamedTuple):
    """A batch to publish."""

    batch: int
    orders: tuple[JobOrder, ...]


class Worker(NamedTuple):
    """What a live worker's heartbeat says: slots, platforms, and the batches of this build it runs."""

    slots: int
    platforms: frozenset[str]
    running: frozenset[int]


class Started(NamedTuple):
    """A try of a job began."""

    job: str
    worker: str


class Unserved(NamedTuple):
    """No live worker has served this platform for the time of grace."""

    platform: str


class _Job:
    __slots__ = ("attempt", "batch", "first", "lost", "order")

    def __init__(self, order: JobOrder) -> None:
        self.order, self.attempt = order, order.attempt  # as it was handed over; the order's own counts up
        self.lost = self.batch = self.first = 0


class _Batch:
    __slots__ = ("due", "gone_since", "id", "jobs", "platform", "resent", "sent", "transit", "unlisted_since", "worker")

    def __init__(self, id_: int, jobs: Iterable[_Job], due: float) -> None:
        self.id, self.due = id_, due
        self.jobs = {job.order.job: job for job in jobs}
        self.platform = next(iter(self.jobs.values())).order.action.platform
        for job in self.jobs.values():
            job.batch = id_
            job.first = job.first or id_
        self.sent: float | None = None  # when last published
        self.gone_since: float | None = None  # since when its queue was seen empty
        self.transit = self.resent = 0
        self.worker = ""
        self.unlisted_since: float | None = None


class Delivery:
    """The state of every job handed over and not yet ended.

    heartbeat: seconds between heartbeats; grace: seconds without a serving worker until Unserved;
    lost_after: seconds until a silent worker is lost.
    """

    def __init__(self, *, heartbeat: float, grace: float, lost_after: float) -> None:
        self.grace, self.lost_after = grace, lost_after
        self.unlisted_after = max(2.0, 3 * heartbeat) if heartbeat >= 0.5 else 3 * heartbeat + 0.5
        self.resubmitted = 0
        self.warnings: list[str] = []
        self._jobs: dict[str, _Job] = {}
        self._batches: dict[int, _Batch] = {}
        self._waiting: dict[int, None] = {}
        self._done: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}
        self._next = 1
        self.stopped = False  # nothing more is to begin
        self._served: dict[str, float] = {}
        self._claims: dict[str, tuple[int, float]] = {}  # platform: highest batch claimed, when
        self._judge_from = 0.0
        self._looked: float | None = None

    def __len__(self) -> int:
        """Jobs under way."""
        return len(self._jobs)

    def add(self, orders: Sequence[JobOrder], now: float) -> None:
        """Take orders on; those of one platform travel together."""
        by_platform: dict[str, list[_Job]] = {}
        needed = self.platforms()
        for order in orders:
            if order.job in self._jobs:
                raise ValueError(f"job {order.job} is under way already")
            self._done.pop(order.job, None)
            job = self._jobs[order.job] = _Job(order)
            by_platform.setdefault(order.action.platform, []).append(job)
        for platform, jobs in by_platform.items():
            if platform not in needed:  # nobody was missed meanwhile
                self._served[platform] = now
            self._batch(jobs, now)

    def due(self, now: float) -> list[Parcel]:
        """What is to be published now."""
        if self.stopped:
            return []
        batches = (self._batches[id_] for id_ in self._waiting)
        return [Parcel(b.id, tuple(j.order for j in b.jobs.values())) for b in batches if b.due <= now]

    def next_due(self) -> float | None:
        """When something is to be published next."""
        return None if self.stopped else min((self._batches[id_].due for id_ in self._waiting), default=None)

    def sent(self, batches: Iterable[int], now: float) -> None:
        """These were published, or may have been."""
        for id_ in batches:
            self._waiting.pop(id_, None)
            batch = self._batches.get(id_)
            if batch is not None:
                batch.sent, batch.gone_since = now, None

    def claimed(self, id_: int, worker: str, now: float) -> list[Started]:
        """A worker began a batch."""
        batch = self._batches.get(id_)
        if batch is None or batch.worker == worker:
            return []
        self._waiting.pop(id_, None)
        batch.worker, batch.unlisted_since = worker, None
        highest, since = self._claims.get(batch.platform, (0, now))
        self._claims[batch.platform] = (id_, now) if id_ > highest else (highest, since)
        return [Started(job, worker) for job in batch.jobs]

    def ended(self, id_: int, outcome: JobOutcome, now: float) -> JobOutcome | None:
        """The outcome to report, if this one of a batch is the first that counts."""
        job = self._jobs.get(outcome.job)
        if job is None:
            self._compare(id_, outcome)
            return None
        # A job handed over anew may have other inputs than when it was last.
        if id_ < job.first:
            return None
        if outcome.status in ("executed", "reused"):
            return self._finish(job, outcome)
        # A worker that was frozen may report a time limit that its job never reached; only the present try may fail.
        if id_ != job.batch:
            return None
        if outcome.status != "lost":
            return self._finish(job, outcome)
        return self._lose(job, now, outcome.message or "the worker could not run it", outcome)

    def returned(self, id_: int, names: Iterable[str], now: float) -> None:
        """A worker gave jobs of a batch back, not begun."""
        batch = self._batches.get(id_)
        if batch is None:
            return
        jobs = [batch.jobs[name] for name in names if name in batch.jobs]
        for start in range(0, len(jobs), RETURNED_SIZE):
            self._again(jobs[start : start + RETURNED_SIZE], now)

    def refused(self, id_: int, message: str, now: float) -> list[JobOutcome]:
        """A worker could not read a batch; outcomes of the jobs that are given up."""
        batch = self._batches.get(id_)
        jobs = list(batch.jobs.values()) if batch is not None else []
        return [out for job in jobs if (out := self._lose(job, now, message)) is not None]

    def interrupted(self, now: float) -> None:
        """The broker was away, or came back empty: heartbeats need time to come back before anyone is missed."""
        self._judge_from = now + self.lost_after
        for batch in self._batches.values():
            batch.gone_since = batch.unlisted_since = None
        self._served = dict.fromkeys(self._served, now)

    def look(
        self, now: float, workers: Mapping[str, Worker], queued: Mapping[str, int]
    ) -> list[Started | JobOutcome | Unserved]:
        """Compare what is under way with the live workers and the lengths of the queues; about twice a second."""
        if self._looked is not None and now - self._looked > GAP:
            self.interrupted(now)
        self._looked = now
        found: list[Started | JobOutcome | Unserved] = []
        running = {id_: name for name, worker in workers.items() for id_ in worker.running}
        for batch in list(self._batches.values()):
            if not batch.worker and batch.id in running:
                found += self.claimed(batch.id, running[batch.id], now)
            if batch.worker:
                found += self._look_at_claimed(batch, workers, now)
            elif batch.id not in self._waiting:
                found += self._look_at_sent(batch, queued.get(batch.platform, 0), now)
        return found + self._unserved(workers, now)

    def stop(self) -> list[JobOutcome]:
        """Begin nothing more: outcomes of the jobs that were never sent. For what was sent see unclaimed()."""
        self.stopped = True
        return self._drop(id_ for id_ in self._waiting if self._batches[id_].sent is None)

    def unclaimed(self) -> list[int]:
        """The batches that were sent and no worker is known to have."""
        return [batch.id for batch in self._batches.values() if not batch.worker]

    def revoked(self, batches: Iterable[int]) -> list[JobOutcome]:
        """No worker can claim these any more; outcomes of their jobs."""
        return self._drop(id_ for id_ in batches if id_ in self._batches)

    def platforms(self) -> set[str]:
        """Platforms of what is under way."""
        return {batch.platform for batch in self._batches.values()}

    def forget(self) -> None:
        """Nothing is under way any more, and nothing that still comes counts."""
        self._jobs.clear()
        self._batches.clear()
        self._waiting.clear()
        self._done.clear()

    def _drop(self, batches: Iterable[int]) -> list[JobOutcome]:
        jobs = [job for id_ in list(batches) for job in self._batches[id_].jobs.values()]
        return [self._finish(job, JobOutcome(job.order.job, job.attempt, "dropped")) for job in jobs]

    def _look_at_claimed(self, batch: _Batch, workers: Mapping[str, Worker], now: float) -> list[JobOutcome]:
        worker = workers.get(batch.worker)
        if worker is not None and batch.id in worker.running:
            batch.unlisted_since = None
            return []
        if batch.unlisted_since is None:
            batch.unlisted_since = now
        # What it told last may be in the stream and not read yet.
        patience = LAST_WORDS if worker is None else self.unlisted_after
        if now < self._judge_from or now - batch.unlisted_since < patience:
            return []
        jobs = list(batch.jobs.values())
        if worker is None:
            text = f"worker {batch.worker} was lost; what it ran is run again"
            if text not in self.warnings:
                self.warnings.append(text)
            return [out for job in jobs if (out := self._lose(job, now, DIED)) is not None]
        for job in jobs:
            self._again([job], now)
        return []

    def _look_at_sent(self, batch: _Batch, queued: int, now: float) -> list[JobOutcome]:
        sent = batch.sent if batch.sent is not None else now
        if queued:
            batch.gone_since = None
            highest, since = self._claims.get(batch.platform, (0, now))
            overtaken = highest > batch.id and now - max(since, sent) > OVERTAKEN * 2**batch.resent
            if overtaken or now - sent > STALE * 2**batch.resent:
                batch.resent += 1
                self._wait(batch, now)
            return []
        if batch.gone_since is None:
            batch.gone_since = now
        if now - batch.gone_since <= LOST_IN_TRANSIT * 2**batch.transit:
            return []
        batch.transit += 1
        if batch.transit <= MAX_TRANSIT:
            self._wait(batch, now)
            return []
        jobs = list(batch.jobs.values())
        return [out for job in jobs if (out := self._lose(job, now, "no worker took it from its queue")) is not None]

    def _unserved(self, workers: Mapping[str, Worker], now: float) -> list[Started | JobOutcome | Unserved]:
        platforms = self.platforms()
        for worker in workers.values():
            for platform in worker.platforms & platforms:
                self._served[platform] = now
        return [Unserved(p) for p in sorted(platforms) if now - self._served.setdefault(p, now) > self.grace]

    def _finish(self, job: _Job, outcome: JobOutcome) -> JobOutcome:
        self._leave(job)
        del self._jobs[outcome.job]
        self._done[outcome.job] = job.first, _outputs(outcome)
        return msgspec.structs.replace(outcome, attempt=job.attempt)

    def _compare(self, id_: int, outcome: JobOutcome) -> None:
        first, known = self._done.get(outcome.job, (0, ()))
        outputs = _outputs(outcome)
        if id_ >= first and known and outputs and known != outputs:
            paths = ", ".join(sorted({path for path, _ in set(known) ^ set(outputs)}))
            self.warnings.append(f"{outcome.job} was run twice and did not make the same bytes both times: {paths}")

    def _lose(self, job: _Job, now: float, why: str, last: JobOutcome | None = None) -> JobOutcome | None:
        job.lost += 1
        if job.lost < MAX_LOST:
            self._again([job], now + (RETRY_DELAY * 2 ** (job.lost - 1) if last is not None else 0.0))
            return None
        died = why == DIED
        message = (
            f"the worker died {MAX_LOST} times while running it" if died else f"given up after {MAX_LOST} tries: {why}"
        )
        given_up = last or JobOutcome(job=job.order.job, attempt=job.order.attempt, status="failed")
        return self._finish(job, msgspec.structs.replace(given_up, status="failed", message=message))

    def _again(self, jobs: Sequence[_Job], due: float) -> None:
        for job in jobs:
            self._leave(job)
            job.order = msgspec.structs.replace(job.order, attempt=job.order.attempt + 1)
        self.resubmitted += len(jobs)
        self._batch(jobs, due)

    def _leave(self, job: _Job) -> None:
        batch = self._batches[job.batch]
        del batch.jobs[job.order.job]
        if not batch.jobs:
            del self._batches[batch.id]
            self._waiting.pop(batch.id, None)

    def _batch(self, jobs: Sequence[_Job], due: float) -> None:
        batch = _Batch(self._next, jobs, due)
        self._batches[batch.id] = batch
        self._waiting[batch.id] = None
        self._next += 1

    def _wait(self, batch: _Batch, now: float) -> None:
        self.resubmitted += len(batch.jobs)
        batch.due, batch.gone_since = now, None
        self._waiting[batch.id] = None


def _outputs(outcome: JobOutcome) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((o.path, o.hash) for o in outcome.result.outputs)) if outcome.result is not None else ()
