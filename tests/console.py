"""The real command in a process of its own, as a person starts it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

COMMAND = (sys.executable, "-m", "windrow")


class Said(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Console:
    """A person's shell in a folder, with a home and a cache directory of its own."""

    def __init__(self, folder: Path, cache: Path, **variables: str) -> None:
        self.folder, self.cache = folder, cache
        self.variables = variables
        self.seconds = 60.0  # that a command gets

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.cache),
            "LC_ALL": "C.UTF-8",
            "WINDROW_CACHE_DIR": str(self.cache),
            **self.variables,
            **(more or {}),
        }

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start a command and do not wait for it; `before` are words to put in front of it."""
        return subprocess.Popen(
            [*before, *COMMAND, *words],
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, env: Mapping[str, str] | None = None, before: Sequence[str] = ()) -> Said:
        """Run a command to its end."""
        with self.start(*words, env=env, before=before) as process:
            return ended(process, self.seconds)


def ended(process: subprocess.Popen[str], seconds: float = 60.0) -> Said:
    """What a started command said; it gets a minute, if nothing else is said."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Said(process.returncode, out, err)


def powerless() -> list[str]:
    """Words that start a command without root's power over permissions; a skip where that cannot be had."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may read and write anywhere, and there is no setpriv to change that")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
