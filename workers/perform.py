"""Worker: performs a job from its order to its outcome. Fetch, run, check, store."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from shared.clock import Clock
from shared.keys import given_trace, key_after_run
from shared.model.action import ActionResult
from shared.model.job import JobOrder, JobOutcome
from shared.storage.blobs import BlobStore
from shared.storage.results import Results
from workers.execute.probes import Prober
from workers.execute.slot import SlotPool
from workers.patience import patiently
from workers.run import CommandRun
from workers.sandbox.home import Home

T = TypeVar("T")


class Ticket:
    """One order being performed: what it needs of its worker, and whether anybody still waits for it."""

    def __init__(self, worker: Worker, order: JobOrder) -> None:
        self.worker, self.order = worker, order
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._cancelled.is_set()

    def patiently(self, call: Callable[[], T]) -> T:
        """Ask a store, again if need be."""
        return patiently(self.worker.clock, call, self.cancelled)


class Worker:
    """Performs orders, as many at once as it has slots; thread-safe.

    `perform` raises StoreUnavailable when a store stays away, and LocalError when this machine is the
    trouble. `path` is where commands are looked up; None takes this process's PATH. Nothing is written and no
    process started before the first command.
    """

    def __init__(
        self,
        blobs: BlobStore,
        results: Results,
        *,
        name: str,
        sandbox_root: Path,
        slots: int,
        clock: Clock,
        path: str | None = None,
    ) -> None:
        self.blobs, self.results, self.name, self.clock = blobs, results, name, clock
        self.path = os.environ.get("PATH", os.defpath) if path is None else path
        self.pool = SlotPool(slots)
        self.prober = Prober()
        self._root = sandbox_root
        self._home: Home | None = None
        self._tickets: set[Ticket] = set()
        self._lock = threading.Lock()
        self._kinds: dict[str, Callable[[Ticket], JobOutcome]] = {"command": _command, "noop": _noop}

    def perform(self, order: JobOrder) -> JobOutcome:
        """Perform one order to its end; an order cancelled meanwhile ends as lost."""
        kind = self._kinds.get(order.action.kind)
        if kind is None:
            message = f"this worker knows no jobs of kind {order.action.kind!r}"
            return JobOutcome(order.job, order.attempt, "failed", message=message, worker=self.name)
        ticket = Ticket(self, order)
        with self._lock:
            self._tickets.add(ticket)
        try:
            return kind(ticket)
        finally:
            with self._lock:
                self._tickets.discard(ticket)

    def home(self) -> Home:
        """Where jobs run; made when first needed."""
        with self._lock:
            if self._home is None:
                self._home = Home(self._root)
            return self._home

    def cancel(self, build: str) -> None:
        """Kill what is being performed for one build."""
        self._cancel(build)

    def cancel_all(self) -> None:
        """Kill all that is being performed now; later orders are not concerned."""
        self._cancel(None)

    def _cancel(self, build: str | None) -> None:
        with self._lock:
            tickets = [ticket for ticket in self._tickets if build in (None, ticket.order.build)]
        for ticket in tickets:
            ticket.cancel()

    def close(self) -> None:
        """Kill what runs, end the supervisors, remove the worker's folder."""
        self.cancel_all()
        self.pool.close()
        with self._lock:
            home, self._home = self._home, None
        if home is not None:
            home.close()


def _noop(ticket: Ticket) -> JobOutcome:
    """A job that does nothing: no process, no blob."""
    order = ticket.order
    result = ActionResult(key=key_after_run(order.action, None), outputs=(), worker=ticket.worker.name)
    return JobOutcome(order.job, order.attempt, "executed", result=result, worker=ticket.worker.name)


def _command(ticket: Ticket) -> JobOutcome:
    """A command: its stored result if there is one that fits, else a run of it."""
    order, worker = ticket.order, ticket.worker
    # What a run with a depfile reads is known only after it: its results are looked up by who has the traces.
    if not order.no_cache and order.action.depfile is None:
        hit = ticket.patiently(lambda: worker.results.get(key_after_run(order.action, given_trace(order.action))))
        if hit is not None:
            return JobOutcome(order.job, order.attempt, "reused", result=hit.result, worker=worker.name)
    return CommandRun(ticket).outcome()
