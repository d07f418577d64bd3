"""The scan of a project with a build.ninja: its build folder, others' build folders, and files asked for by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coordinator.scan.scanner import Scan, scan
from coordinator.scan.walk import Where, walk
from shared.model.snapshot import Snapshot
from shared.settings import NinjaSettings, Settings
from tests.waiting import until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for path in ("src/a.c", "build/build.ninja", "build/config.h", "build/.ninja_log", "build/CMakeCache.txt"):
        write(root, path)
    write(root, ".gitignore", "build\nbuild-*\ngenerated\n*.log\n")
    return root


def write(root: Path, path: str, text: str = "x") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def scanned(
    root: Path,
    outputs: tuple[str, ...] = (),
    *,
    named: tuple[str, ...] = (),
    file: str = "build/build.ninja",
    **more: object,
) -> Scan:
    settings = Settings(root, "x", "main", root.parent / "cache", ninja=NinjaSettings(file), **more)  # type: ignore[arg-type]
    return scan(settings, outputs, named=named)


def seen(root: Path, *arguments: object, **more: object) -> Snapshot:
    return scanned(root, *arguments, **more).snapshot  # type: ignore[arg-type]


def test_the_build_folder_is_looked_at_though_it_is_ignored(root: Path) -> None:
    write(root, "build/sub/trace.log")

    assert set(seen(root).sources) == {
        ".gitignore", "src/a.c", "build/build.ninja", "build/config.h", "build/CMakeCache.txt", "build/sub/trace.log",
    }  # fmt: skip


def test_what_the_build_tools_write_about_themselves_is_left_out(root: Path) -> None:
    for path in ("build/.ninja_deps", "build/meson-logs/log", "build/Testing/x", "build/CMakeFiles/CMakeOutput.log"):
        write(root, path)
    write(root, "build/CMakeFiles/rules.ninja")

    inside = {path for path in seen(root).sources if path.startswith("build/")}

    assert inside == {"build/build.ninja", "build/config.h", "build/CMakeCache.txt", "build/CMakeFiles/rules.ninja"}


@pytest.mark.parametrize("mark", [".ninja_log", "CMakeCache.txt", "meson-private/x"])
def test_the_build_folder_of_another_configuration_holds_no_sources(root: Path, mark: str) -> None:
    write(root, f"out/debug/{mark}")
    write(root, "out/debug/generated.h")
    write(root, "out/notes.txt")

    assert {path for path in seen(root).sources if path.startswith("out/")} == {"out/notes.txt"}


def test_a_build_file_in_the_root_makes_the_root_no_foreign_build_folder(root: Path) -> None:
    write(root, "build.ninja")
    write(root, "CMakeCache.txt")
    write(root, ".ninja_log")
    write(root, "other/CMakeCache.txt")
    write(root, "other/x.h")

    sources = seen(root, file="build.ninja").sources

    assert {"build.ninja", "CMakeCache.txt", "src/a.c"} <= set(sources)
    assert not {".ninja_log", "other/x.h"} & set(sources)


def test_a_build_folder_that_is_not_there_yet_is_no_error(root: Path) -> None:
    assert set(seen(root, file="later/build.ninja").sources) == {".gitignore", "src/a.c"}


def test_outputs_in_the_build_folder_are_outputs(root: Path) -> None:
    write(root, "build/a.o")

    snapshot = seen(root, ("build/a.o", "build/gone.o"))

    assert set(snapshot.outputs) == {"build/a.o"}
    assert "build/a.o" not in snapshot.sources


def test_only_the_folders_of_the_project_are_walked(root: Path) -> None:
    write(root, "elsewhere/x.c")

    sources = seen(root, folders=("src", "build")).sources

    assert "src/a.c" in sources
    assert not {"elsewhere/x.c", ".gitignore"} & set(sources)


# -- named ----------------------------------------------------------------------------------------


def test_named_files_are_sources_though_they_are_ignored(root: Path) -> None:
    write(root, "generated/a.c")
    write(root, "generated/b.c")

    snapshot = seen(root, named=("generated/a.c", "generated/gone.c", "src/a.c"))

    assert {path for path in snapshot.sources if path.startswith("generated")} == {"generated/a.c"}


def test_named_folders_are_told_as_such(root: Path) -> None:
    write(root, "generated/deep/a.c")

    snapshot = seen(root, named=("generated/deep", "src"))

    assert snapshot.folders == {"generated/deep", "src"}


def test_a_named_symlink_counts_by_its_text(root: Path) -> None:
    write(root, "generated/a-1.c")
    (root / "generated/a.c").symlink_to("a-1.c")

    snapshot = seen(root, named=("generated/a.c",))

    assert snapshot.sources["generated/a.c"].mode == "link"
    assert snapshot.links["generated/a.c"] == "a-1.c"


def test_a_named_file_behind_a_symlink_is_not_there_but_the_link_is(root: Path) -> None:
    write(root, "src/deep/b.c")
    (root / "generated").symlink_to("src")

    snapshot = seen(root, named=("generated/deep/b.c",))

    assert "generated/deep/b.c" not in snapshot.sources
    assert snapshot.links["generated"] == "src"


# -- settled --------------------------------------------------------------------------------------


def test_nothing_is_settled_while_a_file_or_folder_was_just_changed(root: Path) -> None:
    assert scanned(root).settled() is None


def test_what_was_looked_at_is_told_with_its_folders_links_and_ignore_files(root: Path) -> None:
    (root / "link").symlink_to("src")
    write(root, "generated/a.c")
    write(root, "ignored/.gitignore", "*\n")

    settled = until(lambda: scanned(root, named=("generated/a.c",)).settled())

    expected = {
        ".",
        "src",
        "src/a.c",
        "build",
        "build/config.h",
        "link",
        "generated/a.c",
        "ignored",
        "ignored/.gitignore",
    }
    assert expected <= set(settled)
    status = (root / "src/a.c").lstat()
    assert settled["src/a.c"] == (status.st_ctime_ns, status.st_ino)


def test_any_change_shows_in_what_is_settled(root: Path) -> None:
    before = until(lambda: scanned(root).settled())

    status = (root / "src/a.c").stat()
    os.utime(write(root, "src/a.c", "y"), ns=(status.st_atime_ns, status.st_mtime_ns))
    write(root, "src/b.c")
    after = until(lambda: scanned(root).settled())

    assert {path for path in after if before.get(path) != after[path]} == {"src", "src/a.c", "src/b.c"}


# -- walk -----------------------------------------------------------------------------------------


def test_a_walk_begins_where_it_is_told_and_leaves_names_out(root: Path) -> None:
    write(root, "build/leave/x")

    walked = walk(str(root), (), frozenset(), frozenset(), Where(("build",), frozenset({"leave"}), ignore_file=""))

    assert {path.partition("/")[0] for path in walked.files} == {"build"}
    assert "build/leave/x" not in walked.files
    assert set(walked.folders) == {"build"}


def test_a_folder_that_is_begun_with_is_walked_whatever_marks_it(root: Path) -> None:
    where = Where(("build",), marks=frozenset({"CMakeCache.txt"}))

    assert "build/config.h" in walk(str(root), (), frozenset(), frozenset(), where).files
