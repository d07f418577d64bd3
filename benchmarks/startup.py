"""What it takes before anything is done: commands that do little, and how many modules they load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import generated, timing
from benchmarks.rig import WINDROW, Checkout
from benchmarks.timing import ROUNDS, Row


def startup(home: Path) -> list[Row]:
    """Bare Python, click, `windrow --help`, and a build with nothing to do."""
    folder = home / "project"
    folder.mkdir()
    checkout = Checkout(generated.project(folder, 100), home / "cache")
    checkout.build()
    commands = {
        "windrow build, no-op": [*WINDROW, "build", "-q"],
        "windrow --help": [*WINDROW, "--help"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }

    def note(who: str, _row: Row) -> str:
        words = [sys.executable, "-X", "importtime", *commands[who][1:]]
        done = subprocess.run(words, cwd=folder, env=checkout.environ, capture_output=True, text=True, check=True)
        return f"{done.stderr.count('import time:') - 1} modules"

    contenders = {
        who: lambda words=words: timing.run(words, folder, checkout.environ) for who, words in commands.items()
    }
    return timing.compare("startup", contenders, rounds=2 * ROUNDS, note=note)
