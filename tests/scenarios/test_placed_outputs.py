"""Outputs that a build put into the workspace and no revision has: they stay Windrow's own, not somebody's files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shared.errors import GraphError
from tests.fakes.workspace import Workspace

RULES = """\
[project]
name = "placed"

[[rule]]
name = "cc"
each = "src/*.c"
inputs = ["inc/*.h"]
command = ["toy-cc", "-Iinc", "{in}"]
outputs = ["build/{stem}.o"]

[[rule]]
name = "list"
inputs = ["build/*.txt", "rule:cc"]
command = ["toy-cat", "{in}"]
outputs = ["all"]
"""


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    space = Workspace(tmp_path / "tree")
    space.write("windrow.toml", RULES)
    for name in ("one", "two"):
        space.write(f"src/{name}.c", f"{name}\n")
    return space


def fail_with_keep_going(space: Workspace) -> None:
    """A build that puts build/one.o and build/two.o into the tree and commits nothing."""
    space.write("src/bad.c", "include nowhere.h\n")
    report = space.build(failures=0)
    assert (report.status, report.revision) == ("failed", 0)
    assert space.exists("build/one.o")


def replaced(space: Workspace) -> list[str]:
    return [path.name for path in (space.root / ".windrow").glob("replaced/**/*") if path.is_file()]


def test_what_a_failed_build_left_is_replaced_without_a_word(space: Workspace) -> None:
    fail_with_keep_going(space)
    space.write("src/one.c", "edited\n")
    space.delete("src/bad.c")

    assert space.build().revision == 1

    assert space.observer.warnings == []
    assert replaced(space) == []
    assert "build/one.o" not in space.manifest().sources
    assert not (space.root / ".windrow/placed.msgpack").exists()


def test_what_a_build_of_a_target_left_is_replaced_without_a_word(space: Workspace) -> None:
    for text in ("first\n", "second\n"):
        space.write("src/one.c", text)
        assert space.build(targets=("build/one.o",)).revision == 0

        assert space.read("build/one.o").endswith(text)
        assert space.observer.warnings == []

    assert replaced(space) == []


@pytest.mark.parametrize("committed", [False, True])
def test_what_a_failed_build_left_goes_with_its_source(space: Workspace, committed: bool) -> None:
    if committed:
        assert space.build().revision == 1
        space.write("src/one.c", "edited\n")
    fail_with_keep_going(space)
    space.delete("src/bad.c")
    space.delete("src/one.c")

    space.build()

    assert not space.exists("build/one.o")
    assert space.observer.warnings == []
    assert set(space.manifest().sources) == {"windrow.toml", "src/two.c"}


def test_what_a_failed_build_left_goes_though_all_else_is_as_it_was(space: Workspace) -> None:
    """The edit was taken back: the tree is that of the revision, but for one output."""
    assert space.build().revision == 1
    space.write("src/three.c", "three\n")
    fail_with_keep_going(space)
    space.delete("src/bad.c")
    space.delete("src/three.c")

    report = space.build()

    assert (report.executed, report.revision, report.outputs_removed) == (0, 0, 1)
    assert not space.exists("build/three.o")
    assert space.build().status == "no-changes"


def test_a_file_written_over_what_a_failed_build_left_is_kept(space: Workspace) -> None:
    fail_with_keep_going(space)
    space.write("build/one.o", "mine\n")
    space.write("build/two.o", "mine too\n")
    space.delete("src/bad.c")
    space.delete("src/one.c")

    assert space.build().revision == 1

    assert space.read("build/one.o") == "mine\n"
    assert "build/one.o" in space.manifest().sources
    assert replaced(space) == ["two.o"]
    assert any("build/two.o was there" in warning for warning in space.observer.warnings)


def second_checkout(space: Workspace) -> Workspace:
    """The same project elsewhere, with the same store; nothing of it is built here."""
    other = Workspace(space.root.parent / "other", cache=space.cache)
    shutil.copytree(
        space.root, other.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".windrow", "build", "all")
    )
    return other


@pytest.mark.parametrize("looked", [False, True], ids=["at once", "after a look"])
def test_an_output_goes_with_its_source_though_another_checkout_built_without_it(
    space: Workspace, looked: bool
) -> None:
    assert space.build().revision == 1
    other = second_checkout(space)
    other.delete("src/one.c")
    assert other.build().revision == 2
    if looked:
        space.project().load_base()

    space.delete("src/one.c")
    report = space.build()

    assert not space.exists("build/one.o")
    assert space.read("all") == other.read("all")
    assert (report.revision, report.outputs_removed) == (0, 1)
    assert space.build().status == "no-changes"


def test_a_generated_file_that_another_checkout_made_a_source_is_kept(space: Workspace) -> None:
    """The bytes are the same, but now a revision says that it is written by hand."""
    space.write("windrow.toml", RULES + '[[rule]]\nname = "gen"\ncommand = ["toy-cat"]\noutputs = ["gen.h"]\n')
    assert space.build().revision == 1
    other = second_checkout(space)
    other.write("windrow.toml", RULES)
    for number, text in enumerate(("written by hand\n", space.read("gen.h")), 2):
        other.write("gen.h", text)
        assert other.build().revision == number

    space.write("windrow.toml", RULES)
    space.build()

    assert space.read("gen.h") == other.read("gen.h")


def test_the_first_build_of_another_branch_knows_the_outputs_of_this_one(space: Workspace) -> None:
    assert space.build().revision == 1
    space.environ["WINDROW_BRANCH"] = "feature"
    space.write("src/one.c", "edited\n")
    space.delete("src/two.c")

    assert space.build().revision == 1

    assert space.observer.warnings == []
    assert replaced(space) == []
    assert not space.exists("build/two.o")
    assert set(space.manifest().sources) == {"windrow.toml", "src/one.c"}


def test_no_rule_makes_the_settings_not_even_in_a_first_build(space: Workspace) -> None:
    rules = RULES + '[[rule]]\nname = "own"\ncommand = ["toy-cat"]\noutputs = ["windrow.toml"]\n'
    space.write("windrow.toml", rules)

    with pytest.raises(GraphError, match="would overwrite a source"):
        space.build()

    assert space.read("windrow.toml") == rules
