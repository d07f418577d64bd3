"""What a slot is asked to run, in the ways of daemons too, and which processes of it are left."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import psutil

from workers.execute.slot import Request

PATH = os.environ["PATH"]
# Processes that mean to outlive the command that starts them; {t} is what marks them.
DAEMONS = {
    "in the background": "sleep {t} &",
    "in a session of its own": "setsid sleep {t} &",
    "after a double fork": (
        '{python} -c \'import os\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: os.execvp("sleep", ["sleep", "{t}"])\''
    ),
    "deaf to polite signals": "sh -c 'trap \"\" TERM HUP INT; sleep {t}; sleep {t}' &",
    "stopped": "setsid sh -c 'kill -STOP $$; sleep {t}' &",
    "with all files closed, in another folder": (
        '{python} -c \'import os\nif os.fork() == 0:\n os.setsid(); os.chdir("/"); os.closerange(0, 100)\n'
        ' os.execvp("sleep", ["sleep", "{t}"])\''
    ),
    "started again and again": "setsid sh -c 'while :; do setsid sleep {t} & sleep 0.01; done' &",
}
_numbers = itertools.count(1)


def request(folder: Path, *argv: str, timeout: float = 20.0, limit: int = 8 << 20, **env: str) -> Request:
    return Request(
        argv=argv,
        cwd=str(folder),
        env={"PATH": PATH, **env},
        stdout=str(folder / "stdout"),
        stderr=str(folder / "stderr"),
        timeout=timeout,
        limit=limit,
    )


def token() -> str:
    """An argument for sleep that no other process has."""
    return f"9{os.getpid()}{next(_numbers)}.5"


def survivors(mark: str) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(mark in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(words))
    return found
