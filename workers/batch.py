"""BatchRunner: claims a batch, performs its jobs one after another, and reports each as soon as that pays."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from shared.clock import Clock
from shared.envelope import Envelope, unpack
from shared.errors import WindrowError
from shared.model.job import JobOrder, JobOutcome
from shared.queue import Ended, Refused, Returned
from shared.storage.blobs import BlobStore
from workers.ledger import Ledger
from workers.link import WorkerLink
from workers.outbox import Box, Outbox
from workers.twins import Twins

_log = logging.getLogger("windrow.worker")


class Performs(Protocol):
    """Performs jobs, in many threads at once."""

    def perform(self, order: JobOrder, ran: Callable[[], None]) -> JobOutcome:
        """What came of one try; `ran` is called when the command has ended, if there is more to do then."""
        ...

    def cancel(self, build: str) -> None:
        """Kill what runs of a build."""
        ...

    def cancel_all(self) -> None:
        """Kill everything that runs."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class BatchRunner:
    """serves: whether this worker's tools still are those of a platform. room: called when one more may be taken."""

    def __init__(
        self,
        performer: Performs,
        link: WorkerLink,
        ledger: Ledger,
        *,
        blobs: BlobStore,
        serves: Callable[[str], bool],
        room: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._performer, self._link, self._ledger = performer, link, ledger
        self._blobs, self._serves, self._room, self._clock = blobs, serves, room, clock
        self._outbox = Outbox(clock)
        self._twins = Twins()

    def close(self) -> None:
        """End the thread that reports."""
        self._outbox.close()

    def run(self, envelope: Envelope, orders: str) -> None:
        """Perform a message's jobs, unless another delivery of it was quicker."""
        build, batch = envelope.build, envelope.batch
        if not self._link.claim(build, batch):
            return
        self._ledger.begin(build, batch)
        try:
            self._run_claimed(envelope, unpack(envelope, orders, self._blobs))
        except WindrowError as error:
            _log.error("batch %d of build %s: %s (%s)", batch, build, error.what, error.why)
            self._link.report(build, Refused(batch, self._link.worker, f"{error.what} {error.why}".strip()))
        finally:
            self._ledger.end(build, batch)

    def _run_claimed(self, envelope: Envelope, orders: Sequence[JobOrder]) -> None:
        box = Box(lambda outcomes: self._link.report(envelope.build, Ended(envelope.batch, outcomes)))
        done = self._run_until_over(envelope, orders, box)
        if self._ledger.cancelled(envelope.build, envelope.batch):
            return
        self._outbox.flush(box)
        if done < len(orders):
            rest = tuple(order.job for order in orders[done:])
            self._link.report(envelope.build, Returned(envelope.batch, rest))

    def _run_until_over(self, envelope: Envelope, orders: Sequence[JobOrder], box: Box) -> int:
        """Perform orders; how many came to an end before the time, or this worker's, was over."""
        clock, ledger = self._clock, self._ledger
        began = clock.monotonic()
        fit = self._serves(envelope.platform)
        for index, order in enumerate(orders):
            ledger.at(envelope.batch, order, len(orders) - index)
            outcome = self._of_its_twin(envelope, order)
            late = index > 0 and clock.monotonic() - began > envelope.budget
            over = ledger.stopping or ledger.cancelled(envelope.build, envelope.batch)
            if outcome is None and (late or not fit or over):
                return index
            if outcome is None:
                last = index + 1 == len(orders)
                outcome = self._perform(order, partial(self._give_slot, envelope) if last else _nothing)
            # Whoever ends a worker with all its processes does not mean the job, and still less the build.
            if outcome.interrupted:
                if self._ledger.stopping:  # since it began
                    return index
                outcome = msgspec.structs.replace(outcome, interrupted=False)
            if ledger.killed and outcome.status not in ("executed", "reused"):
                return index
            self._outbox.put(box, outcome)
        return len(orders)

    def _of_its_twin(self, envelope: Envelope, order: JobOrder) -> JobOutcome | None:
        """What came of a run of the same job that is under way here; waiting for it takes no slot."""
        twin = self._twins.of(order)
        if twin is None:
            return None
        self._give_slot(envelope)
        try:
            return twin.wait_for(order)
        finally:
            self._ledger.goes_on(envelope.build, envelope.batch)

    def _give_slot(self, envelope: Envelope) -> None:
        self._ledger.waits(envelope.build, envelope.batch)
        self._room()

    def _perform(self, order: JobOrder, ran: Callable[[], None]) -> JobOutcome:
        with self._twins.running(order) as run:
            run.outcome = self._performed(order, ran)
            return run.outcome

    def _performed(self, order: JobOrder, ran: Callable[[], None]) -> JobOutcome:
        try:
            return self._performer.perform(order, ran)
        except Exception as error:  # noqa: BLE001 - whatever went wrong here, the coordinator must hear of it
            _log.exception("job %s of build %s", order.job, order.build)
            message = f"{type(error).__name__}: {error}"
            return JobOutcome(order.job, order.attempt, "lost", message=message, worker=self._link.worker)


def _nothing() -> None:
    """What follows in the batch needs the slot."""
