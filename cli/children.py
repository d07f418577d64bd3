"""Processes that outlive the command that starts them, known again later by their start."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from shared import process
from shared.clock import Clock
from shared.process import Process

_POLL = 0.03


class Child(msgspec.Struct, frozen=True):
    """A process that was started, and the file it writes to."""

    process: Process
    log: str


def start(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> Child:
    """Start a program in a session of its own, in `/`, with its output in a file."""
    with log.open("ab") as file:
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd="/",
            env=dict(environ),
            start_new_session=True,
        )
    # It is to stay; without this the interpreter warns that it still runs.
    started.returncode = 0
    return Child(process.of(started.pid), str(log))


def alive(child: Child) -> bool:
    """Whether it runs, and is still the process that was started; one whose threads are still ending runs."""
    unasked = _reap(child.process.pid)
    return process.state(child.process) == "alive" or (unasked and process.ending(child.process.pid))


def stop(children: Sequence[Child], *, patience: float, clock: Clock) -> None:
    """End processes: SIGTERM, after `patience` seconds SIGTERM again (at once), then SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        for child in children:
            if alive(child):
                os.kill(child.process.pid, number)
        deadline = clock.monotonic() + patience
        while any(alive(child) for child in children) and clock.monotonic() < deadline:
            clock.sleep(_POLL)


def _reap(pid: int) -> bool:
    """Bury a child of this process that has ended; whether there is one of this id that has not, or not wholly."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False  # one that an earlier command started is not ours to bury
