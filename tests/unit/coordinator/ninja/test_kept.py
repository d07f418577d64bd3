"""What a build file came to is kept: the same comes out of the file as went in, and only for what it was made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from coordinator.imported.build import ImportedBuild
from coordinator.importers.ninja.graph import Imported
from shared.model.file import FileState
from shared.model.snapshot import Snapshot
from shared.settings_load import load

TEXT = """\
pool two
  depth = 2
rule cc
  command = gcc -c $in -o $out
  depfile = $out.d
rule gen
  command = python3 gen.py $in $out @$out.rsp
  rspfile = $out.rsp
  rspfile_content = $in
  pool = two
  description = making $out
rule log
  command = cat $in > $out
build gen.h | gen.log: gen ../gen.in /outside/of/it |@ check
build a.o: cc ../a.c || gen.h
build b.o: cc ../b.c || gen.h
rule symbols
  command = nm $in > $out
  restat = 1
build libx.so.symbols: symbols libx.so
build libx.so: log a.o
build prog: log b.o | libx.so.symbols
build check: log never
build never: phony
build all: phony a.o b.o
default all
"""


class Projects:
    """One project, opened anew for each question, as each command does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "build").mkdir(parents=True)
        (root / "windrow.toml").write_text('[project]\nname = "x"\n[ninja]\nfile = "build/build.ninja"\n')
        self.write(TEXT)
        self.asked: list[tuple[str, ...]] = []

    def write(self, text: str) -> None:
        (self.root / "build/build.ninja").write_text(text, errors="surrogateescape")

    def identity(self, programs: tuple[str, ...]) -> str:
        self.asked.append(programs)
        return "identity of " + " ".join(programs)

    def open(self) -> ImportedBuild:
        settings = load(self.root, flags={}, environ={"HOME": str(self.root), "PATH": ""})
        assert settings.ninja is not None
        return ImportedBuild(settings, settings.ninja)

    def made(self, snapshot: Snapshot, made_from: str = "one", *, keep: bool = True) -> tuple[Imported, bool]:
        """What a command that builds comes to, and whether it had to import anything."""
        self.asked.clear()
        build = self.open()
        imported = build.recipes(snapshot, self.identity, {}, made_from)
        if keep:
            assert build.programs
            build.save()
        return imported, bool(self.asked)


def tree(*paths: str, content: str = "x") -> Snapshot:
    return Snapshot({path: FileState(f"sha256:{content * 64}", 1) for path in paths}, {})


TREE = ("a.c", "a.h", "b.c", "gen.in", "gen.py")


@pytest.fixture
def projects(tmp_path: Path) -> Projects:
    return Projects(tmp_path / "x")


def test_what_comes_out_of_the_file_is_what_was_imported(projects: Projects) -> None:
    first, imported = projects.made(tree(*TREE))
    again, imported_again = projects.made(tree(*TREE, content="y"))

    assert (imported, imported_again) == (True, False)
    assert again == first
    assert first.recipes[0].files and first.recipes[0].outputs == ("build/gen.h", "build/gen.log")
    assert again.names.missing and again.names.validations and again.names.pools["two"] == 2
    # Who makes these is asked once a tuple.
    assert again.recipes[1].after is again.recipes[2].after
    assert again.recipes[1].candidates is again.recipes[2].candidates


CHANGES: list[tuple[str, Snapshot, str]] = [
    ("a file is added", tree(*TREE, "new.h"), "one"),
    ("a file is gone", tree(*TREE[1:]), "one"),
    ("a tool is another", tree(*TREE), "two"),
    ("a symlink leads elsewhere", msgspec.structs.replace(tree(*TREE), links={"a.h": "b.h"}), "one"),
    ("a path is a folder", msgspec.structs.replace(tree(*TREE), folders=frozenset({"data"})), "one"),
]


@pytest.mark.parametrize(("snapshot", "made_from"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_it_counts_only_for_what_it_was_made_from(projects: Projects, snapshot: Snapshot, made_from: str) -> None:
    projects.made(tree(*TREE))

    _, imported = projects.made(snapshot, made_from)

    assert imported


def test_what_build_files_name_is_asked_anew_when_they_change(projects: Projects) -> None:
    projects.made(tree(*TREE))
    assert projects.open().named() == {"a.c", "b.c", "gen.in", "build/never"}

    projects.write(TEXT.replace("../b.c", "../c.c").replace("python3", "python4"))

    assert projects.open().named() == {"a.c", "c.c", "gen.in", "build/never"}
    assert ("python4",) in projects.open().programs


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_empty, _cut, _folder])
def test_a_damaged_file_costs_one_import(projects: Projects, damage: Callable[[Path], None]) -> None:
    first, _ = projects.made(tree(*TREE))
    damage(projects.root / ".windrow/graph.msgpack")

    again, imported = projects.made(tree(*TREE))

    assert imported
    assert again == first


def test_text_that_is_no_utf_8_is_not_kept(projects: Projects) -> None:
    projects.write(TEXT.replace("making", "making \udcff"))
    first, _ = projects.made(tree(*TREE))

    again, imported = projects.made(tree(*TREE))

    assert imported
    assert again == first
