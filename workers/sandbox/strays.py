"""Ending the processes that still work in a job's folder when whoever watched over them is dead."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

_SWEEPS = 100
_OCTAL = re.compile(rb"\\([0-7]{3})")


def end_all_in(folder: str) -> None:
    """Kill what works in a folder or below it, or sees it elsewhere; `folder` has no symlinks in it."""
    # One that was killed may have started another since it was looked for; one that hangs in the kernel stays.
    for _ in range(_SWEEPS):
        if not _kill_in(folder):
            return


def _kill_in(folder: str) -> bool:
    found = False
    own = os.readlink("/proc/self/ns/mnt")  # noqa: PTH115 - no path
    for process in Path("/proc").glob("[0-9]*"):
        try:
            elsewhere = os.readlink(process / "ns/mnt") != own  # noqa: PTH115 - as above
            where = str((process / "cwd").readlink())
            if _within(where, folder) or (elsewhere and _shows(process, folder)):
                os.kill(int(process.name), signal.SIGKILL)
                found = True
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or another user's
    return found


def _shows(process: Path, folder: str) -> bool:
    """Whether a process of another mount namespace has something of a folder mounted."""
    # A mount is told by the path within its file system, which may be mounted anywhere: only from the folder of
    # its worker on are both the same, and that has a name of its own.
    parts = folder.split("/")
    own = next((at for at in reversed(range(len(parts))) if parts[at].startswith("w-")), 1)
    sought = "/" + "/".join(parts[own:]) + "/"
    for line in (process / "mountinfo").read_bytes().splitlines():
        inside = os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), line.split()[3]))
        if sought in inside + "/":
            return True
    return False


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
