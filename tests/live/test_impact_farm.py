"""Workload W2 on a farm with a real bucket and a real pytest: the counts are those of one machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local_farm import LocalFarm
from shared.clock import SystemClock
from shared.errors import TestsFailed
from tests.scenarios.impact_project import ALL, RealImpact, todo

pytestmark = [pytest.mark.live, pytest.mark.timeout(500)]
FIVE = tuple(f"leaf{n:02d}" for n in range(5, 10))
TWO_AND_THREE = ("mid03", "mid04", "leaf05", "leaf06", "leaf07")
# Edited modules and files, then checks and test files that must run.
ROWS: dict[tuple[str, ...], tuple[int, int]] = {
    (): (0, 0),
    ("README.md",): (0, 0),
    ("tests/test_leaf05.py",): (0, 1),
    ("leaf05",): (1, 3),
    ("mid03",): (3, 5),
    ("core2",): (10, 12),
    FIVE: (5, 7),
    TWO_AND_THREE: (9, 11),
    ("requirements.txt",): (50, 52),
}


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LocalFarm]:
    # The workers have the python3 that the projects have: the one with pytest.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    local = LocalFarm(tmp_path / "farm", clock=SystemClock(), environ={**os.environ, "PATH": path})
    yield local
    local.down()


def test_tests_run_on_the_farm_and_a_second_checkout_runs_none(farm: LocalFarm, tmp_path: Path) -> None:
    """W2-06, W2-13: the passing result of a test is everybody's."""
    state, _ = farm.up(workers=2, slots=1)
    spaces = [RealImpact(tmp_path / name) for name in ("one", "two")]
    for space in spaces:
        space.small(("core0", "mid00", "leaf00"))
        farm.write(state, space.root)
    one, two = spaces

    first = one.console.run("test", "--json")
    assert first.code == 0, first.err
    assert first.json()["executed"] == 6
    assert [told["how"] for told in first.json()["tests"]] == ["passed"] * 3

    second = two.console.run("test", "--json")
    assert second.code == 0, second.err
    assert second.json()["executed"] == 0
    assert [told["passed"] for told in second.json()["tests"]] == [1, 1, 1]

    one.edit("leaf00")
    third = one.console.run("test", "--json")
    assert third.code == 0, third.err
    assert third.json()["executed"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_every_row_is_the_same_on_a_farm(farm: LocalFarm, tmp_path: Path, workers: int) -> None:
    """The whole table, W2-02 to W2-08, with 1 and 4 workers."""
    state, _ = farm.up(workers=workers, slots=1)
    space = RealImpact(tmp_path / "tree")
    # One worker starts a pytest after the other: 52 of them take half a minute where nobody else uses the machine.
    space.console.seconds = 200.0
    todo.write(space.root, "todo")
    farm.write(state, space.root)
    whole = space.console.run("test", "--json")
    assert whole.code == 0, whole.err
    assert whole.json()["executed"] == ALL

    for names, (checks, tests) in ROWS.items():
        space.edit(*names)
        said = space.console.run("test", "--json")
        assert said.code == 0, said.err
        ran = sum(one["how"] == "passed" for one in said.json()["tests"])
        assert (said.json()["executed"] - ran, ran) == (checks, tests), names

    space.delete("src/todo/leaf05.py")
    said = space.console.run("test", "--json")
    assert said.code == TestsFailed.exit_code, said.err
    assert {one["test"] for one in said.json()["tests"] if one["how"] == "failed"} == {"tests/test_leaf05.py"}
    assert [one["how"] for one in said.json()["tests"]].count("passed") == 2
