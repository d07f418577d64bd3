"""Isolation: how a job's tree can appear at its own path on this machine."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Literal, get_args

# In mount namespaces; in user and mount namespaces; not at all: then its commands are rewritten.
Isolation = Literal["mounts", "user-mounts", "rewriting"]
_PROGRAM = Path(__file__).with_name("mounts.py")
_PATIENCE = 10.0  # seconds


@cache
def isolation() -> Isolation:
    """What this machine can do, tried out once a process; takes some 20 ms."""
    command = [sys.executable, "-I", "-S", str(_PROGRAM)]
    try:
        said = subprocess.run(command, capture_output=True, cwd="/", env={}, timeout=_PATIENCE, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "rewriting"
    found: tuple[Isolation, ...] = get_args(Isolation)
    return next((way for way in found if way.encode() == said), "rewriting")
