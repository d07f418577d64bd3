"""Worker: performs a job from its order to its outcome. Fetch, run, check, store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from shared import calls
from shared.errors import GraphError
from shared.keys import given_trace, key_after_run, rooted
from shared.model.action import ActionResult
from shared.model.job import JobOrder, JobOutcome
from shared.relocation import local_result
from workers.run import CommandRun
from workers.ticket import Ticket
from workers.workshop import Workshop
from workers.workspace import WorkspaceRun

LOOKED_SECONDS = 10.0  # a result that was not there so long ago is not looked for again


def _nothing() -> None:
    pass


class Worker:
    """Performs orders, as many at once as it has slots; thread-safe.

    `perform` raises StoreUnavailable when a store stays away, and LocalError when this machine is the trouble. Nothing
    is written and no process started before the first command, or `prepare`. The workshop is closed with the worker.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._tickets: set[Ticket] = set()
        self._lock = threading.Lock()
        self._kinds: dict[str, Callable[[Ticket], JobOutcome]] = {
            "command": _command,
            "call": _call,
            "noop": _noop,
            "workspace": _workspace,
        }

    def prepare(self, jobs: int | None = None, *, rooted: bool = False) -> None:
        """Start what runs commands before the first one is there: for so many that will come, or for every slot.

        rooted: find out as well how trees appear at their roots. LocalError when a supervisor cannot be started.
        """
        self._workshop.pool.start(jobs)
        if rooted:
            self._workshop.isolation()

    def perform(self, order: JobOrder, ran: Callable[[], None] = _nothing) -> JobOutcome:
        """Perform one order to its end; an order cancelled meanwhile ends as lost.

        ran: called when its command has ended and needs no slot any more, while what it made is still to be stored.
        """
        kind = self._kinds.get(order.action.kind)
        if kind is None:
            message = f"this worker knows no jobs of kind {order.action.kind!r}"
            return JobOutcome(order.job, order.attempt, "failed", message=message, worker=self._workshop.name)
        ticket = Ticket(self._workshop, order, ran)
        with self._lock:
            self._tickets.add(ticket)
        try:
            return kind(ticket)
        finally:
            with self._lock:
                self._tickets.discard(ticket)

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
        self._workshop.close()


def _noop(ticket: Ticket) -> JobOutcome:
    """A job that does nothing: no process, no blob."""
    order = ticket.order
    result = ActionResult(key=key_after_run(order.action, None), outputs=(), worker=ticket.workshop.name)
    return JobOutcome(order.job, order.attempt, "executed", result=result, worker=ticket.workshop.name)


def _command(ticket: Ticket) -> JobOutcome:
    """A command: its stored result if there is one that fits, else a run of it."""
    order, workshop = ticket.order, ticket.workshop
    # What a run that says so itself reads is known only after it: its results are looked up by who has the traces.
    action = order.action
    if not order.no_cache and not action.tells and not action.observed and not _just_looked(ticket):
        key = key_after_run(action, given_trace(action))
        for one in (key, rooted(key, action.root)) if action.root else (key,):
            hit = ticket.patiently(partial(workshop.results.get, one))
            if hit is not None:
                result = local_result(hit.result, action.root)
                return JobOutcome(order.job, order.attempt, "reused", result=result, worker=workshop.name)
    return CommandRun(ticket).outcome()


def _just_looked(ticket: Ticket) -> bool:
    """Whether a result was looked for a moment ago; not if it was sent again, for somebody may have made it since."""
    order = ticket.order
    return order.attempt == 1 and 0 <= ticket.workshop.clock.now() - order.looked < LOOKED_SECONDS


def _call(ticket: Ticket) -> JobOutcome:
    """A Python function, performed as a command is, if it is here the one that the build knows."""
    order, workshop = ticket.order, ticket.workshop
    target = order.action.argv[0]
    try:
        here = calls.identity(target)
    except GraphError:
        here = ""
    if here != order.action.tools:
        message = f"this worker has {here or 'no such call'}; the build wants {order.action.tools}"
        return JobOutcome(order.job, order.attempt, "failed", message=message, worker=workshop.name)
    return _command(ticket)


def _workspace(ticket: Ticket) -> JobOutcome:
    """A command that must run in the real tree: where that is, and nowhere else."""
    order, workshop = ticket.order, ticket.workshop
    if workshop.workspace is None:
        message = "it must run in the workspace itself, which is not on this machine"
        return JobOutcome(order.job, order.attempt, "failed", message=message, worker=workshop.name)
    return WorkspaceRun(ticket, workshop.workspace).outcome()
