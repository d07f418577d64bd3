"""Links that name what stands for a shared library, as Meson and GN write them: run again with ninja, not more often."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

COMMON = """\
rule cc
  command = echo cc-$in >> @LOG@; gcc -fPIC -fvisibility=hidden -c $in -o $out
rule link
  command = echo link-$out >> @LOG@; gcc $in ./libone.so -Wl,-rpath,'$$ORIGIN' -o $out
build one.o: cc one.c
build main.o: cc main.c
"""
# A tool of the project's own in place of Meson's, which need not be installed.
MESON = """\
rule so
  command = echo so >> @LOG@; gcc -shared $in -o $out
rule symbols
  command = echo symbols >> @LOG@; nm -D --defined-only -j $in > $out.new; cmp -s $out.new $out || cp $out.new $out; rm $out.new
  restat = 1
build libone.so: so one.o
build libone.so.p/libone.so.symbols: symbols libone.so
build main: link main.o | libone.so.p/libone.so.symbols
"""
GN = """\
rule solink
  command = echo so >> @LOG@; gcc -shared $in -o libone.so; nm -D --defined-only -j libone.so > new; $
    cmp -s new libone.so.TOC || cp new libone.so.TOC; rm new
  restat = 1
build libone.so libone.so.TOC: solink one.o
build main: link main.o | libone.so.TOC
"""
ONE = '__attribute__((visibility("default"))) int one(void) { return 1; }\n'
MAIN = "int one(void);\nint main(void) { return one() - 1; }\n"


@pytest.fixture(params=[MESON, GN], ids=["Meson", "GN"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    pair.write("build.ninja", COMMON + request.param)
    pair.write("one.c", ONE)
    pair.write("main.c", MAIN)
    return pair


def test_the_first_build_is_given_the_library(pair: Pair) -> None:
    """Else the link would fail, and be repeated with all that there is."""
    theirs, ours = pair.both()

    assert (theirs.code, ours.code) == (0, 0), ours.said
    assert theirs.ran == ours.ran
    assert "repeated" not in ours.said
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)


def test_users_of_a_library_are_linked_anew_with_its_symbols_only(pair: Pair) -> None:
    pair.both()

    pair.write("one.c", ONE.replace("return 1", "return 2 - 1 + 0 * (int)sizeof(long)") + "int hidden;\n")
    theirs, ours = pair.both()
    assert theirs.ran == ours.ran
    assert "link-main" not in ours.ran
    assert "so" in ours.ran

    pair.write("one.c", ONE + ONE.replace("one(", "two("))
    theirs, ours = pair.both()
    assert theirs.ran == ours.ran
    assert "link-main" in ours.ran
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)


def test_a_link_that_names_the_library_itself_runs_with_each_change_of_it(pair: Pair) -> None:
    text = pair.files["build.ninja"].replace("build main: link main.o |", "build main: link main.o | libone.so")
    pair.write("build.ninja", text)
    pair.both()

    pair.write("one.c", ONE + "int hidden = 7;\n")
    theirs, ours = pair.both()

    assert theirs.ran == ours.ran
    assert "link-main" in ours.ran
