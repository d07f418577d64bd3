"""A project of 102 jobs, built once, and one of small copies: S1-27 to S1-62, where tests are jobs like others.

`ChangeDetector` is scan and diff against the committed manifest, `IncrementalBuilder` the planner and the scheduler,
the test map what jobs were seen to read. Selecting tests by impact here is nothing but building what is out of date.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes.workspace import Workspace
from tests.scenarios.todo.copies import ALL, CopyProject
from tests.scenarios.todo_project import TodoProject


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> TodoProject:
    """The 102 jobs, built once; nobody changes it."""
    project = TodoProject(tmp_path_factory.mktemp("origin") / "tree")
    assert project.build().executed == ALL
    return project


@pytest.fixture
def todo(origin: TodoProject, tmp_path: Path) -> TodoProject:
    """A copy of what was built, with its store."""
    shutil.copytree(origin.root, tmp_path / "tree")
    shutil.copytree(origin.cache, tmp_path / "tree-cache")
    project = TodoProject.__new__(TodoProject)
    Workspace.__init__(project, tmp_path / "tree")
    return project


@pytest.fixture
def copies(tmp_path: Path) -> CopyProject:
    """Built, with real commands."""
    project = CopyProject(tmp_path / "tree")
    assert project.build().executed == 5
    return project
