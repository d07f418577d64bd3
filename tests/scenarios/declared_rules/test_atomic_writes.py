"""Outputs and manifest are written whole or not at all."""

from __future__ import annotations

import re
import signal

import pytest

from shared.errors import FarmError, LocalError
from tests.scenarios.declared_rules.looks import EVERYTHING
from tests.scenarios.rule_project import FINAL, LOGIN, RuleProject

TEMPORARY = re.compile(r"\.tmp\.\d+")


def left_overs(project: RuleProject) -> list[str]:
    """Temporary files, and staged ones, of builds that are over."""
    found = [path for path in project.tree() if TEMPORARY.search(path)]
    return found + [path.name for path in (project.root / ".windrow").glob("stage/*/*")]


def test_successful_write_creates_target_file(project: RuleProject) -> None:
    """S3-43, box 1: and nothing beside it."""
    project.build()

    assert FINAL <= set(project.tree())
    assert left_overs(project) == []


@pytest.mark.fault
@pytest.mark.parametrize("place", ["materialise.journal-written", "materialise.renamed-1", "materialise.renamed-5"])
def test_interrupted_write_leaves_no_partial_file(built: RuleProject, place: str) -> None:
    """S3-43, box 2 (S3-29): killed at a place, then built again."""
    before = built.tree()
    built.write(".context/config.yaml", "version: '2'\n")

    killed = built.console.run("build", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    between = built.tree()
    again = built.console.run("build")

    assert killed.code == -signal.SIGKILL
    after = built.tree()
    assert all(between[path] in (before[path], after[path]) for path in FINAL)
    assert again.code == 0
    assert all(after[path] != before[path] for path in FINAL)
    assert left_overs(built) == []


def test_temp_files_are_removed_on_error(built: RuleProject) -> None:
    """S3-43, box 3: a folder stands where an output has to go."""
    built.write(".context/config.yaml", "version: '2'\n")
    (built.root / LOGIN).unlink()
    (built.root / LOGIN / "in the way").mkdir(parents=True)

    with pytest.raises(LocalError, match="a folder is in its place"):
        built.build()

    assert left_overs(built) == []


@pytest.mark.fault
def test_multi_file_transaction_commits_all_or_none(built: RuleProject) -> None:
    """S3-43, box 4: the third rename fails (C30)."""
    before = built.tree()
    built.write(".context/config.yaml", "version: '2'\n")

    said = built.console.run("build", env={"WINDROW_FAILPOINT": "materialise.renamed-3=raise"})

    assert said.code == FarmError.exit_code
    assert {path: data for path, data in built.tree().items() if path in EVERYTHING} == {
        path: data for path, data in before.items() if path in EVERYTHING
    }
    assert left_overs(built) == []
    assert built.manifest().revision == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    ("place", "current"),
    [
        ("commit.before-manifest", 1),
        ("commit.after-manifest", 1),
        ("commit.before-pointer", 1),
        ("commit.after-pointer", 2),
    ],
)
def test_manifest_is_written_atomically(built: RuleProject, place: str, current: int) -> None:
    """S3-43, box 5: killed on either side of each write, a whole revision is current, and the next build commits."""
    built.write(".context/config.yaml", "version: '2'\n")

    killed = built.console.run("build", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    base = built.project().load_base()
    again = built.console.run("build")

    assert killed.code == -signal.SIGKILL
    assert (base.revision, base.problems) == (current, ())
    assert again.code == 0
    manifest = built.manifest()
    assert manifest.sources[".context/config.yaml"].size == len("version: '2'\n")
    # Past a manifest that no pointer came to name; what is told of the builds agrees.
    made = {"commit.after-manifest": 3, "commit.before-pointer": 3}.get(place, 2)
    listed = built.console.run("builds", "--json").json()["builds"]
    assert (manifest.revision, max(run["revision"] for run in listed)) == (made, f"rev-{made:04d}")
