"""The two engines on one build folder: ninja, told by its log, and windrow-ninja, told by its report."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.rig import WINDROW

GENERATED = frozenset(("build.ninja", "CMakeFiles/rules.ninja"))


class Ran(NamedTuple):
    """One run: seconds on the wall and of processors, the outputs whose commands were executed, and edges by how they
    were come by.
    """

    seconds: float
    cpu: float
    executed: frozenset[str]
    ways: dict[str, int]
    said: str


class Failed(Exception):
    """An engine ended with an error; the end of what it said."""


class Engine(Protocol):
    """Builds targets in the folder `build`; outputs are relative to it. Raises Failed."""

    name: str

    def run(self, build: Path, targets: Sequence[str]) -> Ran:
        """Build once."""
        ...


class Ninja:
    """ninja, two at a time."""

    def __init__(self, environ: Mapping[str, str], jobs: int = 2) -> None:
        self.name, self._environ, self._jobs = f"ninja -j{jobs}", environ, jobs

    def run(self, build: Path, targets: Sequence[str]) -> Ran:
        """See Engine."""
        before = _logged(build)
        seconds, cpu, said = _timed(["ninja", f"-j{self._jobs}", *targets], build, self._environ)
        after = _logged(build)
        # What the log says anew; CMake has ninja rewrite the times of build files in it.
        executed = frozenset(output for output, run in after.items() if before.get(output) != run) - GENERATED
        return Ran(seconds, cpu, executed, {}, said)


class Windrow:
    """windrow-ninja in this process, or on a farm that `environ` names."""

    def __init__(self, name: str, environ: Mapping[str, str], jobs: int = 2) -> None:
        self.name, self._environ, self._jobs = name, environ, jobs

    def run(self, build: Path, targets: Sequence[str]) -> Ran:
        """See Engine."""
        told = build.parent / "report.json"
        words = [*WINDROW, "ninja", f"-j{self._jobs}", "--report", str(told), "--strict-remote", *targets]
        seconds, cpu, said = _timed(words, build, self._environ)
        edges = json.loads(told.read_text())["edges"]
        ways: dict[str, int] = {}
        for edge in edges:
            ways[edge["how"]] = ways.get(edge["how"], 0) + 1
        executed = frozenset(output for edge in edges if edge["how"] == "executed" for output in edge["outputs"])
        return Ran(seconds, cpu, executed, ways, said)


@contextmanager
def farm(environ: Mapping[str, str], folder: Path, *, workers: int) -> Iterator[dict[str, str]]:
    """A farm on this machine while the block runs; the environment of who builds on it."""
    words = [*WINDROW, "farm", "up", "--workers", str(workers), "--slots", "1", "--dir", str(folder)]
    done = subprocess.run(words, env=dict(environ), cwd=folder.parent, stdout=subprocess.PIPE, text=True, check=True)
    try:
        script = f"{done.stdout}\nexec env -0"
        told = subprocess.run(
            ["sh", "-c", script], env=dict(environ), capture_output=True, text=True, check=True
        ).stdout
        yield dict(line.split("=", 1) for line in told.split("\0") if line)
    finally:
        subprocess.run(
            [*WINDROW, "farm", "down", "--dir", str(folder)], env=dict(environ), cwd=folder.parent, check=False
        )


def _timed(argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> tuple[float, float, str]:
    began, used = time.perf_counter(), _cpu()
    done = subprocess.run(
        argv, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise Failed(f"{' '.join(argv)[:200]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return seconds, _cpu() - used, done.stdout + done.stderr


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _logged(build: Path) -> dict[str, tuple[str, ...]]:
    """The last run of each output in ninja's log, without the file's time, which `restat` rewrites."""
    try:
        lines = (build / ".ninja_log").read_text().splitlines()
    except FileNotFoundError:
        return {}
    fields = [line.split("\t") for line in lines if not line.startswith("#")]
    # CMake names outputs of custom commands twice, the second time in full.
    return {os.path.relpath(build / words[3], build): (words[0], words[1], words[4]) for words in fields}
