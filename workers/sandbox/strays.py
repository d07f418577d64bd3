"""Ending the processes that still work in a job's folder when whoever watched over them is dead."""

from __future__ import annotations

import os
import signal
from pathlib import Path

_SWEEPS = 100


def end_all_in(folder: str) -> None:
    """Kill what works in a folder or below it; `folder` has no symlinks in it."""
    # One that was killed may have started another since it was looked for; one that hangs in the kernel stays.
    for _ in range(_SWEEPS):
        if not _kill_in(folder):
            return


def _kill_in(folder: str) -> bool:
    found = False
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            where = str(link.readlink())
            if where == folder or where.startswith(folder + "/"):
                os.kill(int(link.parent.name), signal.SIGKILL)
                found = True
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or another user's
    return found
