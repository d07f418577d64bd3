"""How much of a farm's slots its jobs use: jobs that only sleep, on 8, 32 and 64 slots.

A job sleeps for as many seconds as has the farm dispatch 64 jobs a second whatever its slots, so that a full run of
each takes two and a half minutes where nothing is lost. Each is run once: what is measured is long and steady. The
peer is `xargs -P`, which has nothing to send or to store.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks import timing
from benchmarks.rig import Checkout, environment, farm
from benchmarks.timing import Row, Sample

JOBS = int(os.environ.get("WINDROW_BENCH_SLEEPS", "10000"))
SLOTS = (8, 32, 64)
WORKERS = 4
A_SECOND = 64  # jobs that end each second where nothing is lost
RULES = """\
[project]
name = "sleeping"

[[rule]]
name = "sleep"
each = "src/*.txt"
command = ["sh", "-c", 'sleep {seconds}; cp "$0" "$1"', "{{in}}", "{{out}}"]
outputs = ["build/{{stem}}.out"]
"""


def _project(folder: Path, seconds: float) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "bare").mkdir()
    (folder / "windrow.toml").write_text(RULES.format(seconds=seconds))
    (folder / ".gitignore").write_text("build/\nbare/\n.windrow/\n")
    for number in range(JOBS):
        (folder / f"src/{number}.txt").write_text(f"{number} {seconds}\n")


def _row(name: str, who: str, taken: Sample, ideal: float, peer: float = 0.0) -> Row:
    text = f"{ideal / taken.wall:.1%} of the slots' time"
    ratio = round(peer / taken.wall, 3) if peer else 0.0
    wall = round(taken.wall, 3)
    return Row(name, who, wall, (wall, wall), round(taken.cpu, 2), ratio, taken.count, text)


def sleeping(home: Path) -> list[Row]:
    """Wall seconds; processor time is this side's for the farm (the workers are its, not the build's, children)."""
    found: list[Row] = []
    for slots in SLOTS:
        seconds = slots / A_SECOND
        name, ideal = f"{slots} slots, {seconds:g} s each", JOBS * seconds / slots
        checkout = Checkout(home / f"sleep{slots}", home / f"cache{slots}")
        _project(checkout.folder, seconds)
        words = f"seq 0 {JOBS - 1} | xargs -P{slots} -I@ sh -c 'sleep {seconds}; cp src/@.txt bare/@.out'"
        bare = timing.run(["sh", "-c", words], checkout.folder, environment(home))
        found.append(_row(name, f"xargs -P{slots}", bare, ideal))
        with farm(checkout, workers=WORKERS, slots=slots // WORKERS):
            taken = checkout.counted()
        if taken.count != JOBS:
            raise RuntimeError(f"{taken.count} of {JOBS} jobs were executed")
        found.append(_row(name, f"farm, {WORKERS} workers x {slots // WORKERS}", taken, ideal, bare.wall))
    return found
