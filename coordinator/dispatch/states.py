"""The states of a job in a build, and the only way from one to another."""

from __future__ import annotations

from enum import IntEnum, auto

import msgspec

from coordinator.dispatch.prepare import Given, Reuse
from coordinator.progress import How
from shared.model.action import ActionResult
from shared.model.job import JobOrder


class State(IntEnum):
    """Where a job stands. A number, since tables are asked for it several times a job."""

    WAITING = auto()  # some job it needs is not done
    READY = auto()  # everything it needs is done
    PREPARING = auto()  # its key is looked up, its inputs are stored
    PREPARED = auto()  # nothing fits: its order waits for a free slot
    SUBMITTED = auto()  # handed to the performer
    RUNNING = auto()  # a worker has begun it
    SETTLING = auto()  # its outputs are fetched for the workspace
    DONE = auto()
    FAILED = auto()
    SKIPPED = auto()  # a job it needs failed


_ALLOWED = {
    State.WAITING: {State.READY, State.SKIPPED},
    State.READY: {State.PREPARING, State.SKIPPED, State.WAITING},
    State.PREPARING: {State.PREPARED, State.DONE, State.READY, State.FAILED, State.WAITING},
    State.PREPARED: {State.SUBMITTED, State.WAITING, State.SKIPPED},
    State.SUBMITTED: {State.RUNNING, State.SETTLING, State.FAILED, State.READY, State.WAITING},
    State.RUNNING: {State.SETTLING, State.FAILED, State.READY, State.WAITING},
    State.SETTLING: {State.DONE, State.READY, State.FAILED},
    State.DONE: {State.WAITING, State.READY},  # its stored outputs turned out to be gone
    State.FAILED: set(),
    State.SKIPPED: set(),
}

UNDER_WAY = frozenset({State.PREPARING, State.SUBMITTED, State.RUNNING, State.SETTLING})
ENDED = frozenset({State.DONE, State.FAILED, State.SKIPPED})


class JobRun(msgspec.Struct):
    """One job of a build: its state and what is known of it."""

    id: str
    layer: int
    priority: float
    expected: float
    waiting: set[str]
    tiny: bool = False
    pool: str = ""
    here: bool = False  # on this machine, wherever the others run
    state: State = State.WAITING
    attempt: int = 0
    sure: bool = False  # no result may stand for it
    early: bool = False  # whatever its layer: a job of an earlier one waits for it
    force: bool = False  # do not look for a result: what it names is gone
    given: Given | None = None  # what an earlier try asked for
    redo: bool = False  # an input changed under it: once done, do it again
    elsewhere: bool = False  # it read files outside the tree that are others on this machine
    remakes: int = 0
    order: JobOrder | None = None
    result: ActionResult | None = None
    how: How | None = None
    worker: str = ""
    seconds: float = 0.0

    def move(self, state: State) -> None:
        """Change state; the only place that does. AssertionError for a way that does not exist."""
        if state not in _ALLOWED[self.state]:
            raise AssertionError(f"{self.id}: {self.state.name.lower()} → {state.name.lower()}")
        self.state = state


class Prepared(msgspec.Struct):
    """A job is prepared: a result that fits, an order to perform it, or what went wrong."""

    job: str
    outcome: Reuse | JobOrder | Exception


class Settled(msgspec.Struct):
    """The outputs of a job are where they belong, or what went wrong."""

    job: str
    error: Exception | None
