"""BuildLock protocol; the lease it grants, and who holds it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from shared import process
from shared.clock import Clock, from_iso
from shared.errors import LockHeld
from shared.process import Process

LEASE_SECONDS = 300.0
Granted = TypeVar("Granted")


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, or asks for it: build, process, user, what is built, and (once held) since when.

    nonce names this one holding; since and renewed are ISO 8601; fence is 0 until the lock is held.
    """

    build: str
    pid: int
    host: str
    user: str
    target: str
    nonce: str
    space: str = ""
    start: int = 0
    since: str = ""
    renewed: str = ""
    fence: int = 0

    def gone(self) -> bool:
        """Whether the holder's process is certain to have ended."""
        return process.state(Process(self.pid, self.host, self.space, self.start)) == "dead"

    def around(self) -> bool:
        """Whether this process runs within the holder's: as long as it waits, the holder does."""
        return process.around(Process(self.pid, self.host, self.space, self.start))


class Lease(Protocol):
    """A held lock, renewed in the background until it is released."""

    @property
    def holder(self) -> Holder:
        """Who holds it: this process."""
        ...

    @property
    def fence(self) -> int:
        """A number that every later holding of this lock exceeds."""
        ...

    def lost(self, *, ask: bool = False) -> bool:
        """Whether another may hold the lock now; once True, it stays so, and nothing may be committed.

        ask: as of now, and not only as of the last renewal; before the point of no return.
        """
        ...

    def release(self, *, hurry: bool = False) -> bool:
        """Give the lock back; False if it was lost, or cannot be reached and will lapse by itself.

        hurry: where it is kept is known not to answer, so it is hardly waited for.
        """
        ...


class BuildLock(Protocol):
    """At most one live lease at a time; a holder known to be dead, or not renewed for the lease, is replaced.

    Raises FarmError or LocalError when the place the lock is kept in fails. Thread-safe.
    """

    def acquire(self, holder: Holder, *, wait: float | None = 0.0, at_least: int = 0) -> Lease:
        """Take the lock, its fence above `at_least`; LockHeld after `wait` seconds (None: it waits without limit)."""
        ...

    def current(self) -> Holder | None:
        """Who holds it now, None if nobody does."""
        ...

    def seize(self, nonce: str) -> bool:
        """Take the lock away from this holding, which will notice; False if another holds it by now."""
        ...


def me(build: str, *, target: str = "") -> Holder:
    """Holder of this process, asking for a lock on behalf of a build."""
    own = process.this()
    return Holder(build, own.pid, own.host, _user(), target, uuid.uuid4().hex, own.space, own.start)


def _user() -> str:
    import getpass  # noqa: PLC0415 - not for a build with nothing to do

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's uid need not have a name.
        return "unknown"


def take(attempt: Callable[[], Granted | Holder], clock: Clock, wait: float | None, poll: float) -> Granted:
    """Repeat an attempt every `poll` seconds until it is granted; LockHeld, by whom it met, when `wait` is up."""
    deadline = None if wait is None else clock.monotonic() + wait
    while True:
        answer = attempt()
        if not isinstance(answer, Holder):
            return answer
        left = poll if deadline is None else deadline - clock.monotonic()
        if left <= 0:
            raise held(answer, clock.now())
        clock.sleep(min(poll, left))


def held(holder: Holder, now: float) -> LockHeld:
    """The error that says who holds the lock, and how to get on."""
    return LockHeld(
        "Another build is in progress",
        why=told(holder, now),
        fix="`windrow build --wait` waits for it; `windrow lock break` takes the lock away if it hangs",
    )


def told(holder: Holder, now: float) -> str:
    """Who it is, what is built, since when."""
    target = f" of {holder.target}" if holder.target else ""
    build = f", build {holder.build}{target}" if holder.build else ""
    since = f"since {holder.since} ({age(now - from_iso(holder.since))} ago)"
    return f"{holder.user}@{holder.host}, pid {holder.pid}{build}, {since}"


def age(seconds: float) -> str:
    """A span of time for people: `12 s`, `4 min`, `3.5 h`."""
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
