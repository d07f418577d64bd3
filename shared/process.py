"""Which process is meant: tells a live one from a dead one whose pid was given out again."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec


class Process(msgspec.Struct, frozen=True, order=True):
    """A process: pid, host name, where its pid means something (boot and pid namespace), start in clock ticks.

    `space` is empty where the system does not tell; then nothing is ever said to be dead.
    """

    pid: int
    host: str
    space: str = ""
    start: int = 0


def this() -> Process:
    """The calling process."""
    return of(os.getpid())


def of(pid: int) -> Process:
    """A process of this machine by its id."""
    return Process(pid, os.uname().nodename, _space(), _start(pid) or 0)


def state(process: Process) -> Literal["alive", "dead", "unknown"]:
    """Whether a process lives; unknown when it belongs to another machine or container."""
    if not process.space or process.space != _space() or process.host != os.uname().nodename:
        return "unknown"
    start = _start(process.pid)
    if start is None:
        return "unknown" if _hidden(process.pid) else "dead"
    return "dead" if process.start and start != process.start else "alive"


def around(process: Process) -> bool:
    """Whether this process was started by one of this machine, or by what that started."""
    if state(process) != "alive":
        return False
    above: int = os.getppid()
    while above > 1 and above != process.pid:
        fields = _stat(above)
        above = int(fields[1]) if fields is not None else 0
    return above == process.pid


def stopped(pid: int) -> bool:
    """Whether a process of this machine was stopped by a signal, as by SIGSTOP; a debugger's hold is none."""
    fields = _stat(pid)
    return fields is not None and fields[0] == b"T"


def ending(pid: int) -> bool:
    """Whether a process of this machine is over, but for threads of it or for its parent to ask how it ended."""
    fields = _stat(pid)
    return fields is not None and fields[0] == b"Z"


@lru_cache(maxsize=1)
def _space() -> str:
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot_id}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start(pid: int) -> int | None:
    """Start time in ticks; None when no such process is seen to run (a zombie does not)."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in (b"Z", b"X") else int(fields[19])


def _stat(pid: int) -> list[bytes] | None:
    """The fields of its stat from the state on; None when no such process is seen."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command, in parentheses, may hold blanks and parentheses itself.
    return stat[stat.rindex(b")") + 2 :].split()


def _hidden(pid: int) -> bool:
    """Whether a process runs that /proc does not show to this user (hidepid)."""
    if Path(f"/proc/{pid}").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
