"""A project's build.ninja: what is read of it, and what it comes to in a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.performers import PERFORMERS
from coordinator import build as building
from coordinator.imported.build import ImportedBuild, is_header
from coordinator.importers.ninja.circumstances import Late
from coordinator.project import Project
from coordinator.request import Request
from shared.clock import SystemClock
from shared.errors import ConfigError
from shared.model.file import FileState
from shared.model.snapshot import Snapshot
from shared.settings import NinjaSettings, Settings
from shared.settings_load import load
from tests.fakes.observer import RecordingObserver

TEXT = """\
rule cc
  command = gcc -c $in -o $out
rule touch
  command = touch $out
rule cmake
  command = cmake .
  generator = 1
build build.ninja: cmake ../CMakeLists.txt
build gen.h: touch
build a.o: cc ../src/a.c | gen.h /beyond/lib.h
build check: phony a.o
build ./odd//name: phony
default check
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tree/build").mkdir(parents=True)
    (tmp_path / "tree/build/build.ninja").write_text(TEXT)
    return tmp_path / "tree"


def imported_of(root: Path, file: str = "build/build.ninja") -> ImportedBuild:
    ninja = NinjaSettings(file)
    return ImportedBuild(Settings(root, "x", "main", root.parent / "cache", ninja=ninja), ninja)


def snapshot_of(*paths: str) -> Snapshot:
    return Snapshot({path: FileState(f"sha256:{'0' * 64}", 1) for path in paths}, {})


def test_a_file_that_is_not_there_is_a_mistake_in_the_settings(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"build/other\.ninja is not there"):
        _ = imported_of(root, "build/other.ninja").manifest


def test_named_are_the_files_that_edges_read_and_none_makes(root: Path) -> None:
    imported = imported_of(root)

    # What only the generator reads is none of the build's business.
    assert imported.named() == {"src/a.c"}
    assert imported.beyond_named() == [("/beyond/lib.h", "")]


def test_what_dyndep_files_add_beyond_the_tree_is_named_too(root: Path, tmp_path: Path) -> None:
    (tmp_path / "late.txt").write_text("late")
    imported = imported_of(root)
    imported.late["a.o"] = Late(inputs=("../../late.txt", "../src/b.c"))

    assert [path for path, digest in imported.beyond_named() if digest] == [str(tmp_path / "late.txt")]


def test_the_generator_is_the_edge_that_makes_the_build_file(root: Path) -> None:
    imported = imported_of(root)

    assert [edge.rule for edge in imported.manifest.makers()] == ["cmake"]


def test_targets_are_relative_to_the_build_folder_but_phony_names_are_names(root: Path) -> None:
    imported = imported_of(root)

    assert imported.target("./a.o") == "build/a.o"
    assert imported.target("../src/a.c") == "src/a.c"
    assert imported.target("check") == "check"
    assert imported.target("odd/name") == "odd/name"


def test_the_digest_changes_with_any_of_the_files(root: Path) -> None:
    (root / "build/more.ninja").write_text("# 1\n")
    (root / "build/build.ninja").write_text(TEXT + "include more.ninja\n")
    imported = imported_of(root)
    before = imported.digest

    (root / "build/more.ninja").write_text("# 2\n")
    imported.forget()

    assert imported.digest != before


def test_what_was_written_anew_is_read_anew(root: Path) -> None:
    imported = imported_of(root)
    before = len(imported.manifest.edges)
    imported.named()

    (root / "build/build.ninja").write_text(TEXT + "build b.o: cc ../src/b.c\n")
    imported.forget()

    assert len(imported.manifest.edges) == before + 1
    assert imported.named() == {"src/a.c", "src/b.c"}


def test_left_overs_of_configuring_are_not_noticed_unless_they_are_read(root: Path) -> None:
    imported = imported_of(root)
    paths = ("README", "build/CMakeCache.txt", "build/cmake.log", "build/config.h", "build/known.txt", "src/a.c")

    noticed = imported.noticed(snapshot_of(*paths), {"build/known.txt"})

    assert set(noticed.sources) == {"README", "build/config.h", "build/known.txt", "src/a.c"}
    assert imported.beside("build/cmake.log")
    assert not imported.beside("build/config.h")
    assert not imported.beside("README")


def test_in_the_project_s_own_folder_everything_is_noticed(root: Path) -> None:
    (root / "build.ninja").write_text("rule cc\n  command = gcc\n")
    imported = imported_of(root, "build.ninja")

    assert set(imported.noticed(snapshot_of("a.txt"), ()).sources) == {"a.txt"}


@pytest.mark.parametrize("path", ["a.h", "inc/a.HPP", "vector", "a.inc", "build/gen.hh"])
def test_headers_go_by_their_names(path: str) -> None:
    assert is_header(path)


@pytest.mark.parametrize("path", ["a.c", "a.cpp", "a.S", "a.txt", "b.d/a.py"])
def test_sources_and_other_files_are_no_headers(path: str) -> None:
    assert not is_header(path)


def test_headers_that_are_made_are_no_candidates(root: Path) -> None:
    imported = imported_of(root)

    (recipe,) = [
        one
        for one in imported.recipes(snapshot_of("src/a.c", "inc/a.h", "build/gen.h"), "".join, {}).recipes
        if one.rule == "cc"
    ]

    assert recipe.candidates == ("inc/a.h",)


def test_a_file_beyond_the_tree_that_changes_is_a_reason_to_build(tmp_path: Path) -> None:
    """Although nothing in the tree did."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "windrow.toml").write_text('[project]\nname = "x"\n\n[ninja]\nfile = "build.ninja"\n')
    (root / "build.ninja").write_text("rule cat\n  command = cat $in > $out\nbuild out: cat ../beyond.txt\n")
    (tmp_path / "beyond.txt").write_text("one\n")
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "WINDROW_CACHE_DIR": str(tmp_path / "cache")}

    def build() -> tuple[str, int]:
        project = Project(
            load(root, flags={}, environ=environ), environ=environ, clock=SystemClock(), performers=PERFORMERS
        )
        report = building.build(project, Request(), RecordingObserver())
        return report.status, report.executed

    first = build()
    (tmp_path / "beyond.txt").write_text("two\n")

    assert (first, build(), build()) == (("ok", 1), ("ok", 1), ("no-changes", 0))
    assert (root / "out").read_text() == "two\n"
