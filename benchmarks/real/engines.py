"""The two engines on one build folder: ninja, told by its log, and windrow-ninja, told by its report."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.rig import WINDROW

GENERATED = frozenset(("build.ninja", "CMakeFiles/rules.ninja"))
# What ninja (before 1.13) and later ninja and Windrow end with when interrupted, and who has yet to listen.
INTERRUPTED = (2, 130, -signal.SIGINT)


class Ran(NamedTuple):
    """One run: seconds on the wall and of processors, the outputs whose commands were executed, and edges by how they
    were come by. pieces: how many runs it is in truth, each going on where the one before was stopped.
    """

    seconds: float
    cpu: float
    executed: frozenset[str]
    ways: dict[str, int]
    pieces: int = 1
    ended: bool = True

    def then(self, later: Ran) -> Ran:
        """This run and the one that went on from it, as one."""
        ways = {way: self.ways.get(way, 0) + later.ways.get(way, 0) for way in (*self.ways, *later.ways)}
        return Ran(
            self.seconds + later.seconds,
            self.cpu + later.cpu,
            self.executed | later.executed,
            ways,
            self.pieces + later.pieces,
            later.ended,
        )


class Failed(Exception):
    """An engine ended with an error; the end of what it said."""


class Engine(Protocol):
    """Builds targets in the folder `build`; outputs are relative to it. Raises Failed."""

    name: str

    def run(self, build: Path, targets: Sequence[str], until: float = math.inf) -> Ran:
        """Build once; interrupted, and so not ended, when the clock of `time.monotonic` says `until`."""
        ...


class Ninja:
    """ninja, two at a time."""

    def __init__(self, environ: Mapping[str, str], jobs: int = 2) -> None:
        self.name, self._environ, self._jobs = f"ninja -j{jobs}", environ, jobs

    def run(self, build: Path, targets: Sequence[str], until: float = math.inf) -> Ran:
        """See Engine."""
        before = _logged(build)
        seconds, cpu, ended = _timed(["ninja", f"-j{self._jobs}", *targets], build, self._environ, until)
        executed = _executed(before, _logged(build), build) - GENERATED
        return Ran(seconds, cpu, executed, {}, ended=ended)


class Windrow:
    """windrow-ninja in this process, or on a farm that `environ` names."""

    def __init__(self, name: str, environ: Mapping[str, str], jobs: int = 2) -> None:
        self.name, self._environ, self._jobs = name, environ, jobs

    def run(self, build: Path, targets: Sequence[str], until: float = math.inf) -> Ran:
        """See Engine."""
        told = build.parent / "report.json"
        told.unlink(missing_ok=True)
        words = [*WINDROW, "ninja", f"-j{self._jobs}", "--report", str(told), "--strict-remote", *targets]
        seconds, cpu, ended = _timed(words, build, self._environ, until)
        # Interrupted before its first job it has nothing to tell.
        edges = json.loads(told.read_text())["edges"] if ended or told.exists() else []
        ways: dict[str, int] = {}
        for edge in edges:
            ways[edge["how"]] = ways.get(edge["how"], 0) + 1
        executed = frozenset(output for edge in edges if edge["how"] == "executed" for output in edge["outputs"])
        return Ran(seconds, cpu, executed, ways, ended=ended)


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


def _timed(argv: Sequence[str], folder: Path, environ: Mapping[str, str], until: float) -> tuple[float, float, bool]:
    """Seconds on the wall and of processors, and whether it came to its end; as by Ctrl-C it is told to stop."""
    began, used, stopped = time.perf_counter(), _cpu(), False
    with subprocess.Popen(
        argv,
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=None if math.isinf(until) else max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            stopped = True
            said, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            raise
    seconds = time.perf_counter() - began
    if process.returncode and not (stopped and process.returncode in INTERRUPTED):
        raise Failed(f"{' '.join(argv)[:200]} ended with {process.returncode}:\n{said[-3000:]}")
    return seconds, _cpu() - used, process.returncode == 0


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _logged(build: Path) -> str:
    try:
        return (build / ".ninja_log").read_text()
    except FileNotFoundError:
        return ""


def _executed(before: str, after: str, build: Path) -> frozenset[str]:
    """The outputs of the runs that the log tells of anew."""
    if before and after.startswith(before):
        # Two short runs of one command may have taken the same milliseconds.
        return frozenset(_runs(after.removeprefix(before), build))
    # It was written anew; CMake has ninja do so with the times of build files.
    known = _runs(before, build)
    return frozenset(output for output, run in _runs(after, build).items() if known.get(output) != run)


def _runs(log: str, build: Path) -> dict[str, tuple[str, ...]]:
    """The last run of each output in ninja's log, without the file's time, which `restat` rewrites."""
    fields = [line.split("\t") for line in log.splitlines() if not line.startswith("#")]
    # CMake names outputs of custom commands twice, the second time in full.
    return {os.path.relpath(build / words[3], build): (words[0], words[1], words[4]) for words in fields}
