"""Workload W4 on a farm with a real bucket: the same counts and the same bytes as embedded, with 1 and 4 workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local_farm import LocalFarm
from shared.clock import SystemClock
from tests.scenarios.context_project import AGGREGATES, FEW, FEW_JOBS, FINAL, JOBS, ROWS, ContextProject, mdc, names

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
COUNTS = ("status", "planned", "executed", "reused", "layers", "outputs_written", "outputs_removed")


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LocalFarm]:
    local = LocalFarm(tmp_path / "farm", clock=SystemClock(), environ=os.environ)
    yield local
    local.down()


def on_farm(farm: LocalFarm, root: Path, workers: int, rules: list[str] | None = None) -> ContextProject:
    state, _ = farm.up(workers=workers, slots=1)
    project = ContextProject(root, rules=rules)
    farm.write(state, root)
    return project


def built(project: ContextProject) -> dict:
    said = project.console.run("build", "--incremental", "--json")
    assert said.code == 0, said.err
    return {name: said.json()[name] for name in COUNTS}


def test_a_farm_counts_and_makes_what_one_machine_does(farm: LocalFarm, tmp_path: Path) -> None:
    """W4-02, W4-13: four rules, from nothing and after a change that three jobs depend on."""
    there = on_farm(farm, tmp_path / "there", 2, FEW)
    here = ContextProject(tmp_path / "here", rules=FEW)

    first = (built(there), built(here))
    for project in (there, here):
        project.third_paragraph("backend/rule-01")
    second = (built(there), built(here))

    assert first[0] == first[1]
    assert first[0]["executed"] == FEW_JOBS
    assert second[0] == second[1]
    assert there.finals() == here.finals()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_every_row_of_the_workload_is_the_same_on_a_farm(farm: LocalFarm, tmp_path: Path, workers: int) -> None:
    """W4-02: all changes one after the other."""
    project = on_farm(farm, tmp_path / "tree", workers)
    first = built(project)
    assert (first["executed"], first["layers"], first["outputs_written"]) == (JOBS, [100, 103, 2], FINAL)

    for row, (change, counts, written) in ROWS.items():
        change(project)
        before = project.finals()
        report = built(project)
        after = project.finals()
        if row == "config.yaml":
            written = {*map(mdc, names()), *AGGREGATES}
        assert (report["planned"], report["executed"], report["reused"]["cut_off"]) == counts, row
        assert {path for path in after if before[path] != after[path]} == written, row
