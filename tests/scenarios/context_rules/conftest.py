"""Workload W4: 100 context rules to .mdc files, CLAUDE.md and AGENTS.md, by the built-in kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.scenarios.context_project import FEW, FEW_JOBS, FINAL, JOBS, ContextProject


def copied(project: ContextProject, to: Path) -> ContextProject:
    """The same project, built as it is, elsewhere."""
    shutil.copytree(project.root, to / "tree", symlinks=True)
    shutil.copytree(project.cache, to / "tree-cache", symlinks=True)
    return ContextProject.at(to / "tree")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> ContextProject:
    project = ContextProject(tmp_path_factory.mktemp("template") / "tree")
    report = project.build()
    # W4-01: one job a rule and one an output, in three layers.
    assert (report.status, report.planned, report.executed, report.layers) == ("ok", JOBS, JOBS, (100, 103, 2))
    assert report.outputs_written == FINAL
    return project


@pytest.fixture
def built(template: ContextProject, tmp_path: Path) -> ContextProject:
    """The 100 rules, built once."""
    return copied(template, tmp_path)


@pytest.fixture(scope="session")
def small_template(tmp_path_factory: pytest.TempPathFactory) -> ContextProject:
    project = ContextProject(tmp_path_factory.mktemp("small") / "tree", rules=FEW)
    assert project.build().executed == FEW_JOBS
    return project


@pytest.fixture
def small(small_template: ContextProject, tmp_path: Path) -> ContextProject:
    """Four rules, built once, for what does not depend on their number."""
    return copied(small_template, tmp_path)
