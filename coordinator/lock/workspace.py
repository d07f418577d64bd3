"""Holds one working copy for one build at a time, by flock; gone with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from coordinator.lock.lease import Holder, me, told
from shared import errors
from shared.clock import Clock, iso
from shared.errors import LockHeld

POLL_SECONDS = 0.1


@contextmanager
def holding(state_dir: Path, clock: Clock, *, holder: Holder | None = None, wait: float | None = 0.0) -> Iterator[None]:
    """Hold the working copy of this state directory; LockHeld after `wait` seconds (None: it waits without limit).

    holder: who is told to those who come meanwhile; None for this process, on behalf of no build.
    """
    path = state_dir / "workspace.lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        keep_out_of_git(state_dir)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise errors.named(error, path, "writing") from error
    try:
        _lock(fd, path, clock, wait)
        try:
            os.ftruncate(fd, 0)
            record = msgspec.structs.replace(holder or me(""), since=iso(clock.now()))
            os.pwrite(fd, msgspec.json.encode(record), 0)
        except OSError as error:
            raise errors.named(error, path, "writing") from error
        yield
    finally:
        os.close(fd)


def keep_out_of_git(state_dir: Path) -> None:
    """Have git ignore the folder, whatever the project's own .gitignore says."""
    with suppress(FileExistsError), (state_dir / ".gitignore").open("x") as file:
        file.write("*\n")


def _lock(fd: int, path: Path, clock: Clock, wait: float | None) -> None:
    deadline = None if wait is None else clock.monotonic() + wait
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        except OSError as error:
            raise errors.named(error, path, "locking") from error
        else:
            return
        _refuse_within(fd, path)
        left = POLL_SECONDS if deadline is None else deadline - clock.monotonic()
        if left <= 0:
            raise LockHeld(
                "Another build is in progress",
                at=str(path),
                why=f"{_who(fd, clock)} in this working copy",
                fix="`windrow build --wait` waits for it",
            )
        clock.sleep(min(POLL_SECONDS, left))


def _refuse_within(fd: int, path: Path) -> None:
    """LockHeld if the holder waits for this very process: to wait for it would be for ever."""
    holder = _holder(fd)
    if holder is not None and holder.around():
        raise LockHeld(
            "A build cannot run within another build of the same folder",
            at=str(path),
            why="a command of that build started this one, and each would wait for the other",
            fix="have the edge or rule of that command need what this build was to make",
        )


def _who(fd: int, clock: Clock) -> str:
    holder = _holder(fd)
    return f"{told(holder, clock.now())}," if holder is not None else "another process"


def _holder(fd: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(fd, 1 << 16, 0), type=Holder)
    except (msgspec.MsgspecError, ValueError):
        return None  # it has only just got hold of it
