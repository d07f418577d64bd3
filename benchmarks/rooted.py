"""What it costs that a job's tree appears at its own path: a worker that copies a file 200 times."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import timing
from benchmarks.timing import Row, Sample
from tests.fakes.rooted import RootedFarm, ways

JOBS = 200
_numbers = itertools.count()


def rooted(home: Path) -> list[Row]:
    """A declared rule's jobs, those of an imported build, and those whose tree has no place on this machine."""
    (home / "checkout").mkdir()
    farms = [RootedFarm(home / "checkout", home / "sandboxes", way="rewriting")]
    contenders = {
        "declared rule": _contender(farms[0], root="", loose=False),
        "rewriting": _contender(farms[0]),
        "rewriting, observed": _contender(farms[0], observed=True),
    }
    for way in ways():
        places = {"": home / "checkout", ", new folder": home / "no/such", ", new root": "/no-such/tree"}
        for where, root in places.items():
            farms.append(RootedFarm(root, home / "sandboxes", way=way))
            contenders[way + where] = _contender(farms[-1])
    try:
        return timing.compare(f"{JOBS} copies", contenders)
    finally:
        for farm in farms:
            farm.worker.close()


def _contender(farm: RootedFarm, **about: object) -> Callable[[], Sample]:
    farm.write("in", "x")

    def sample() -> Sample:
        names = [f"out{next(_numbers)}" for _ in range(JOBS)]
        actions = [farm.action("cp", "in", name, outputs=(name,), **about) for name in names]
        begun = time.perf_counter()
        for action in actions:
            assert farm.perform(action).status == "executed"
        return Sample(time.perf_counter() - begun)

    return sample
