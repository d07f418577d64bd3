"""What the measurements run: windrow as a process in an environment of its own, and a farm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import timing
from benchmarks.timing import Sample

ROOT = Path(__file__).resolve().parent.parent
WINDROW = (sys.executable, str(ROOT / "windrow.py"))


def environment(cache: Path) -> dict[str, str]:
    """This process's environment without settings of Windrow's, and with a cache directory."""
    # As installed: with byte code kept, whatever this shell says.
    left_out = ("WINDROW_", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "MAKEFLAGS", "MAKELEVEL")
    told = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**told, "WINDROW_CACHE_DIR": str(cache)}


class Checkout:
    """A project folder, and windrow in it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.environ = folder, environment(cache)

    def run(self, *words: str) -> str:
        """Run a command of windrow; its stdout. CalledProcessError if it fails."""
        done = subprocess.run(
            [*WINDROW, *words], cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def build(self, *words: str) -> Sample:
        """Time a build as people run it."""
        return timing.run([*WINDROW, "build", "-q", *words], self.folder, self.environ)

    def counted(self, *words: str) -> Sample:
        """Time a build, and count what it executed."""
        out = self.folder.parent / f"{self.folder.name}.json"
        taken = timing.run(
            ["sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", str(out), *WINDROW, "build", "--json", *words],
            self.folder,
            self.environ,
        )
        report: dict[str, Any] = json.loads(out.read_text())
        return Sample(taken.wall, taken.cpu, report["executed"])


@contextmanager
def farm(checkout: Checkout, *, workers: int, slots: int) -> Iterator[None]:
    """A farm that a checkout's builds run on; its state is in the checkout's cache directory."""
    checkout.run("farm", "up", "--workers", str(workers), "--slots", str(slots), "--write")
    try:
        yield
    finally:
        checkout.run("farm", "down")
