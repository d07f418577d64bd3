"""What ninja's manual says of targets, flags and what cannot be done, of the real ninja and of Windrow."""

from __future__ import annotations

import re

import pytest

from tests.scenarios.ninja_behaviours.comparison import CAT, quiet, same
from tests.scenarios.ninja_pair import ROOT, Pair


def complaint(pair: Pair, *words: str) -> str:
    """What both say first of what cannot be done."""
    theirs, ours = pair.both(*words)
    assert (theirs.code, ours.code) == (1, 1), f"{theirs}\n{ours}"
    first = ours.err.splitlines()[0]
    # ninja names the line behind an edge where it is not one of syntax.
    assert re.sub(r":\d+:", "::", first) == re.sub(r":\d+:", "::", theirs.err.splitlines()[0])
    return first


def test_defaults_are_built_when_nothing_is_named(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat a\nbuild d: cat a\ndefault b c\n")
    pair.write("a", "1\n")

    assert same(pair).ran == ("b", "c")
    assert same(pair, "d").ran == ("d",)
    quiet(pair)


def test_a_dry_run_runs_nothing(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat b\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both("-n")

    assert theirs.ran == ours.ran == ()
    assert ours.out == theirs.out
    assert set(pair.tree(pair.windrow)) == {"a", "build.ninja"}


def test_a_source_that_is_gone_is_named(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat b\n")
    pair.write("a", "1\n")
    same(pair)

    pair.delete("a")

    assert complaint(pair) == "ninja: error: 'a', needed by 'b', missing and no known rule to make it"
    assert complaint(pair, "c") == "ninja: error: 'a', needed by 'b', missing and no known rule to make it"


@pytest.mark.parametrize(
    "build",
    [
        "build b: cat a || folder\nbuild folder: phony || gone\n",
        "build b: cat a | folder\nbuild folder: phony || gone\n",
        "build b: cat a || outer\nbuild outer: phony inner\nbuild inner: phony || gone\n",
    ],
)
def test_what_only_comes_before_a_phony_edge_may_be_missing(pair: Pair, build: str) -> None:
    """CMake has every compile come after the folder of its target's objects; people delete that."""
    pair.write("build.ninja", CAT + build)
    pair.write("a", "1\n")

    assert same(pair).ran == ("b",)
    quiet(pair)


def test_what_only_comes_before_an_edge_may_be_missing_while_the_edge_need_not_run(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a || gone\nbuild c: cat b\n")
    for path in ("a", "gone"):
        pair.write(path, "1\n")
    same(pair)

    pair.delete("gone")

    quiet(pair)
    pair.write("a", "2\n")
    assert complaint(pair) == "ninja: error: 'gone', needed by 'b', missing and no known rule to make it"


@pytest.mark.parametrize(
    ("words", "build"),
    [
        (("bb",), "build b: cat a\n"),
        (("nothing-like-it",), "build b: cat a\n"),
        (("cat",), "build b: cat a\n"),
        (("b*",), "build b: cat a\n"),
        ((), "build b: cat c\nbuild c: cat b\n"),
        (("b",), "build b: cat c\nbuild c: cat b\n"),
        (("b",), "build b: phony c\nbuild c: phony b\n"),
        ((), "build all: phony gone\n"),
        ((), "build b: cat a || gone\n"),
        ((), "build b: cat a || c\nbuild c: phony gone\n"),
        (("c",), "build b: cat a || c\nbuild c: phony || d\nbuild d: phony gone\n"),
        ((), "build b: cat a\nbuild b: cat a\n"),
        ((), "build b: unheard a\n"),
        (("-f", "other.ninja"), ""),
        (("-C", "nowhere"), ""),
    ],
)
def test_what_cannot_be_done_is_told_in_ninjas_words(pair: Pair, words: tuple[str, ...], build: str) -> None:
    pair.write("build.ninja", CAT + build)
    pair.write("a", "1\n")

    complaint(pair, *words)


def test_a_source_as_a_target_is_no_work(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\n")
    pair.write("a", "1\n")

    quiet(pair, "a")
    assert same(pair, "a^").ran == ("b",)


def test_another_folder_is_entered_and_told(pair: Pair) -> None:
    pair.write("sub/build.ninja", CAT + "build b: cat ../a\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both("-C", "sub")

    assert ours.out == theirs.out
    assert (pair.windrow / "sub/b").read_text() == "1\n"


def test_flags_behind_a_tool_are_the_tools(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both("-t", "compdb", "-x", "cat")

    assert (ours.code, ours.out.replace(str(pair.windrow), ROOT)) == (0, theirs.out.replace(str(pair.ninja), ROOT)), (
        ours.said
    )


def test_the_build_file_itself_may_be_asked_for(pair: Pair) -> None:
    # As Meson's, the generator writes a file that it also reads, before the build file.
    make = "rule make\n  command = cp list state; cp build.in build.ninja; echo made >> @LOG@\n  generator = 1\n"
    pair.write("build.in", CAT + make + "build build.ninja: make list build.in state\nbuild b: cat a\n")
    pair.write("build.ninja", pair.files["build.in"])
    for path in ("a", "list", "state"):
        pair.write(path, "1\n")
    pair.by_windrow()
    pair.write("list", "2\n")

    made, again = pair.by_windrow("build.ninja"), pair.by_windrow("build.ninja")

    assert (made.code, made.ran) == (0, ("made",)), made.said
    assert (again.code, again.ran, again.out) == (0, (), "ninja: no work to do.\n"), again.said


def test_quiet_says_nothing_where_there_is_nothing_to_do(pair: Pair) -> None:
    """Nor which folder is entered, nor when the first look already tells that there is nothing to do."""
    pair.write("build.ninja", CAT + "build b: cat a\n")
    pair.write("a", "1")
    same(pair)

    for words in (["--quiet"], ["--quiet", "-C", "."], ["--quiet", "-n"], ["--quiet"]):
        theirs, ours = pair.both(*words)
        assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, ""), words


HEADER = """\
rule cc
  command = gcc -MD -MF $out.d -c $in -o $out && echo $out >> @LOG@
  depfile = $out.d
  deps = gcc
build one.o: cc one.c
build two.o: cc two.c
"""


def test_a_header_that_a_depfile_told_of_is_a_target_too(pair: Pair) -> None:
    """As editors have what is being edited compiled: `ninja x.h^`."""
    pair.write("build.ninja", HEADER)
    for name in ("one.c", "two.c"):
        pair.write(name, '#include "inc/h.h"\n')
    pair.write("inc/h.h", "int x;\n")
    same(pair, "-j1")  # to ninja the first is that of which it heard first
    pair.write("inc/h.h", "int y;\n")

    assert same(pair, "inc/h.h^").ran == ("one.o",)

    quiet(pair, "inc/h.h^")
    quiet(pair, "./inc//h.h")
    theirs, ours = pair.both("inc/other.h^")
    assert ours.code == theirs.code == 1
    assert "unknown target 'inc/other.h'" in ours.err


def test_restat_asks_for_no_build_file(pair: Pair) -> None:
    theirs, ours = pair.both("-t", "restat", "x")

    assert ours == theirs
