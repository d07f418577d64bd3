"""How long detection, one change and a full build take."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.context_project import JOBS, UNSELECTED, ContextProject, names
from tests.spent import spent

# The limits hold where nobody else uses the machine, as with `make bench`; beside other tests the CPU is bounded.
ALONE = (pytest.mark.slow, pytest.mark.alone)
LIMITS = pytest.mark.parametrize(
    ("limit", "clock"), [(2.0, spent), pytest.param(0.5, time.perf_counter, marks=ALONE)], ids=["cpu", "wall"]
)
Clock = Callable[[], float]


@pytest.mark.parametrize("limit", [2.0, pytest.param(0.5, marks=ALONE)])
def test_detection_takes_less_than_100_ms_and_one_change_less_than_500(built: ContextProject, limit: float) -> None:
    """W4-14: the best of several; the limit itself holds where nobody else uses the machine, as with `make bench`."""
    built.settle()
    looks, builds = [], []
    for round_ in range(3):
        began = time.perf_counter()
        assert not built.look().plan
        looks.append(time.perf_counter() - began)
        built.edit(f".context/rules/{UNSELECTED}.md", "\nThe third", f"\nIn round {round_}:\nThe third")
        began = time.perf_counter()
        assert built.build().executed == 4
        builds.append(time.perf_counter() - began)

    assert min(looks) < 0.1, looks
    assert min(builds) < limit, builds


def loading(clock: Clock) -> float:
    """Seconds by the clock that a process takes that loads the libraries of a build and does nothing; the median."""
    took = []
    for _ in range(5):
        began = clock()
        subprocess.run([sys.executable, "-c", "import click, msgspec, yaml"], check=True)
        took.append(clock() - began)
    return statistics.median(took)


@LIMITS
def test_one_changed_rule_of_50_is_built_in_less_than_500_ms_from_start_to_end(
    tmp_path: Path, limit: float, clock: Clock
) -> None:
    """W4-14: a whole process, with its start; the median.

    A machine on which loading the libraries alone takes more than 125 ms may take four times as long as that.
    """
    project = ContextProject(tmp_path / "tree", rules=names()[:50])
    project.build()
    project.settle()
    took = []
    for round_ in range(3 if limit > 1 else 7):
        project.edit(".context/rules/docs/rule-03.md", "\nThe third", f"\nIn round {round_}:\nThe third")
        began = clock()
        said = project.console.run("build")
        took.append(clock() - began)
        assert (said.code, "jobs executed" in said.err) == (0, True)

    libraries = loading(clock)
    assert statistics.median(took) < max(limit, 4 * libraries), (libraries, took)


@pytest.mark.slow
@pytest.mark.alone
def test_a_full_build_takes_less_than_three_seconds(built: ContextProject) -> None:
    """W4-14."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        assert built.build(no_cache=True).executed == JOBS
        times.append(time.perf_counter() - began)

    assert min(times) < 3.0, times
