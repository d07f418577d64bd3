"""A few modules of examples/impact with a real pytest, as a person runs them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.scenarios.impact_project import RealImpact


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> RealImpact:
    """Three modules, checked and tested."""
    space = RealImpact(tmp_path_factory.mktemp("real") / "tree")
    space.small(("core0", "mid00", "leaf00"))
    said = space.console.run("test")
    assert (said.code, said.out) == (0, "3 of 3 test files: 3 passed, 0 failed\n")
    return space


@pytest.fixture
def space(origin: RealImpact, tmp_path: Path) -> RealImpact:
    shutil.copytree(origin.root, tmp_path / "tree")
    shutil.copytree(origin.cache, tmp_path / "tree-cache")
    return RealImpact(tmp_path / "tree")
