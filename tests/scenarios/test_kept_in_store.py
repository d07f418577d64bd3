"""Outputs that stay in the store (`keep = "store"`): for other rules alone, and never in the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.real_workspace import COUNTING, RealWorkspace


@pytest.fixture
def built(tmp_path: Path) -> RealWorkspace:
    project = RealWorkspace(tmp_path / "tree")
    project.write("windrow.toml", COUNTING.format(name="kept", keep="store"))
    project.write("src/a.txt", "one")
    project.write("src/b.txt", "one two")
    report = project.build()
    assert (report.status, report.executed, report.outputs_written) == ("ok", 3, 1)
    return project


def test_stored_outputs_never_appear_in_the_tree(built: RealWorkspace) -> None:
    assert built.read("total") == "1\n2\n"
    assert not built.exists("made")
    assert built.manifest().artefacts["made/a.count"].stored
    assert built.build().status == "no-changes"


def test_only_what_changed_runs_again_from_stored_outputs(built: RealWorkspace) -> None:
    built.write("src/a.txt", "one two three")

    report = built.build()

    assert (report.planned, report.executed, report.outputs_written) == (2, 2, 1)
    assert built.read("total") == "3\n2\n"


def test_a_job_whose_stored_output_comes_out_the_same_cuts_off(built: RealWorkspace) -> None:
    built.write("src/a.txt", "two")

    report = built.build()

    assert (report.planned, report.executed, report.reused) == (2, 1, {"cut_off": 1})


def test_a_source_that_goes_takes_its_stored_output_along(built: RealWorkspace) -> None:
    built.delete("src/a.txt")

    report = built.build()

    assert built.read("total") == "2\n"
    assert (report.outputs_removed, list(built.manifest().artefacts)) == (0, ["made/b.count", "total"])
    assert "the archived events tell the same as the manifest" in built.console.run("doctor").out


def test_a_lost_stored_output_is_made_again(built: RealWorkspace) -> None:
    hash_ = built.manifest().artefacts["made/a.count"].hash.removeprefix("sha256:")
    (built.cache / "store/blobs" / hash_[:2] / hash_).unlink()

    report = built.build()

    assert (report.status, report.executed) == ("ok", 1)
    assert built.build().status == "no-changes"


def test_outputs_that_are_wanted_in_the_tree_after_all_are_brought_there(built: RealWorkspace) -> None:
    built.write("windrow.toml", COUNTING.format(name="kept", keep="tree"))

    report = built.build()

    assert (report.status, report.executed, built.read("made/a.count")) == ("ok", 0, "1\n")
    assert not built.manifest().artefacts["made/a.count"].stored
    assert built.build().status == "no-changes"


def test_outputs_that_are_wanted_in_the_store_alone_leave_the_old_files_alone(built: RealWorkspace) -> None:
    built.write("windrow.toml", COUNTING.format(name="kept", keep="tree"))
    built.build()
    built.write("windrow.toml", COUNTING.format(name="kept", keep="store"))

    built.build()

    assert built.manifest().artefacts["made/a.count"].stored
    built.write("made/a.count", "by hand\n")
    assert built.build().executed == 0
    assert built.read("total") == "1\n2\n"
