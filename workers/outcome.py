"""How a run of a job ends: its outcome, whichever way it was run."""

from __future__ import annotations

from typing import TypedDict, Unpack

from shared.model.action import ActionResult, Log
from shared.model.job import JobOutcome, Status
from workers.printed import Printed
from workers.ticket import Ticket


class Told(TypedDict, total=False):
    """What there is to tell besides the status; see JobOutcome. printed: what the command said, if it came to that."""

    message: str
    exit_code: int
    result: ActionResult | None
    missing: tuple[str, ...]
    wanted: tuple[str, ...]
    marks: str
    printed: Printed | None
    carried: dict[str, bytes]
    interrupted: bool


def outcome_of(
    ticket: Ticket, status: Status, *, started: float, bytes_up: int = 0, bytes_down: int = 0, **told: Unpack[Told]
) -> JobOutcome:
    """The outcome of a ticket's order, begun at `started` of its workshop's clock (seconds)."""
    printed = told.get("printed")
    stdout, stderr = printed.logs() if printed else (Log(), Log())
    return JobOutcome(
        job=ticket.order.job,
        attempt=ticket.order.attempt,
        status=status,
        result=told.get("result"),
        exit_code=told.get("exit_code", 0),
        message=told.get("message", ""),
        stdout=stdout,
        stderr=stderr,
        missing=told.get("missing", ()),
        wanted=told.get("wanted", ()),
        marks=told.get("marks", ""),
        worker=ticket.workshop.name,
        carried=told.get("carried", {}),
        interrupted=told.get("interrupted", False),
        seconds=ticket.workshop.clock.monotonic() - started,
        bytes_up=bytes_up + (printed.moved if printed else 0),
        bytes_down=bytes_down,
    )
