"""Performer: has jobs performed, in this process or on the farm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from shared.errors import WindrowError
from shared.model.job import JobOrder, JobOutcome


class JobStarted(msgspec.Struct, frozen=True):
    """A worker has begun a try of a job."""

    job: str
    worker: str


class Warned(msgspec.Struct, frozen=True):
    """Something a person should know of, that changes nothing."""

    text: str


Report = JobStarted | JobOutcome | Warned | WindrowError


class Performer(Protocol):
    """Has jobs performed; owns delivery, so every submitted job gets exactly one final outcome.

    Reports go to the function given to `open`, from any thread: JobStarted (may repeat), one JobOutcome a
    job with status executed, reused, failed, missing or dropped, Warned, or an error that ends the build. A job whose
    worker dies is tried again; after 3 lost workers its outcome is failed. No outcome comes after `cancel`.
    """

    def open(self, deliver: Callable[[Report], None]) -> None:
        """Begin; `deliver` must not block."""
        ...

    def slots(self) -> int:
        """How many jobs can run at once just now, at least 1."""
        ...

    def room(self) -> int:
        """How many batches it is to have at a time: so many that no slot waits for its next."""
        ...

    def submit(self, orders: Sequence[JobOrder]) -> None:
        """Have these performed, one after another, by one worker."""
        ...

    def after_failure(self, *, stop: bool) -> None:
        """Said after each outcome `failed` or `lost` has been dealt with; until then it need not begin another job.

        stop: begin nothing more. What runs goes on; what was not begun ends as `dropped`.
        """
        ...

    def cancel(self) -> None:
        """Kill what runs, forget what waits; returns when none of it runs in this process any more."""
        ...

    def close(self) -> None:
        """Release threads and connections; nothing is under way."""
        ...


def unforeseen(error: Exception, doing: str) -> WindrowError:
    """The error that ends a build for a bug in one of its threads: without a word of it the build would hang."""
    bug = WindrowError(f"{type(error).__name__}: {error}", why=f"while {doing}")
    bug.__cause__ = error
    return bug
