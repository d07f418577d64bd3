"""Rules that compile context rules, by declaration: W4-03, its 37 tests by name and the scenarios beside them.

Where these speak of `.context/.build-manifest.json` stands a committed revision (and its copy in `.windrow/`), of
`.context/.build.lock` the build lock, of the manifest's mtime the stat cache of the workspace.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.rule_project import RuleProject


@pytest.fixture
def project(tmp_path: Path) -> RuleProject:
    """Nothing is built yet."""
    return RuleProject(tmp_path / "tree")


@pytest.fixture
def built(project: RuleProject) -> RuleProject:
    """One revision is there, and every file has been known for long enough."""
    assert project.build().status == "ok"
    project.settle()
    return project
