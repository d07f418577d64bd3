"""Incremental and full builds, and a manifest that is missing or corrupt."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.scenarios.rule_project import JOBS, RuleProject


def test_incremental_build_with_single_file_change(built: RuleProject) -> None:
    """S3-45, box 1, at the command line (S3-19)."""
    built.rule("frontend/style", "Two spaces.")

    said = built.console.run("build", "--incremental", "--json")

    report = said.json()
    assert (said.code, report["status"], report["revision"]) == (0, "ok", "rev-0002")
    assert (report["planned"], report["executed"], report["reused"]["cut_off"]) == (4, 3, 1)
    assert (report["outputs_written"], report["layers"]) == (2, [1, 2, 1])


def test_incremental_build_with_no_changes_exits_early(built: RuleProject) -> None:
    """S3-45, box 2 (S3-18): the seed's sentence, exit 0; no lock, no revision, no event, no file touched."""
    before = built.stored()
    times = {path: (built.root / path).stat().st_mtime_ns for path in built.tree()}

    said = built.console.run("build", "--incremental")

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("No changes detected")
    assert built.stored() == before
    assert {path: (built.root / path).stat().st_mtime_ns for path in built.tree()} == times


def test_full_build_ignores_manifest(built: RuleProject) -> None:
    """S3-45, box 3 (S3-20): as an option, and as a project's default that `--incremental` takes back."""
    full = built.console.run("build", "--full", "--no-cache", "--json").json()
    built.settings('[build]\nmode = "full"\n')
    built.console.run("build")

    default = built.console.run("build", "--json").json()
    incremental = built.console.run("build", "--incremental", "--json").json()

    assert (full["planned"], full["executed"]) == (JOBS, JOBS)
    assert (default["planned"], default["executed"]) == (JOBS, 0)
    assert incremental["status"] == "no-changes"


def test_missing_manifest_triggers_full_build(built: RuleProject) -> None:
    """S3-45, box 4 (S3-21): everything is planned, stored results are found again, and a manifest is made."""
    shutil.rmtree(built.records)
    built.wipe_state()

    report = built.console.run("build", "--incremental", "--json").json()

    assert (report["planned"], report["executed"], report["base_revision"]) == (JOBS, 0, None)
    assert report["revision"] == "rev-0001"
    assert built.manifest().revision == 1


@pytest.mark.parametrize("name", ["current.json", "manifests/rev-0001.json"])
def test_corrupt_manifest_triggers_full_build_with_warning(built: RuleProject, name: str) -> None:
    """S3-45, box 5 (S3-22): the damaged pointer is kept aside, and numbers go on (U18, C26)."""
    (built.records / name).write_text("{ not json")
    built.wipe_state()

    said = built.console.run("build", "--incremental")

    assert said.code == 0
    assert re.search(r"warning: .*building fully", said.err)
    assert f"{JOBS} to run" in said.err
    assert built.manifest().revision == 2
    kept = [path.read_text() for path in built.records.glob("damaged/*current.json")]
    assert kept == (["{ not json"] if name == "current.json" else [])
