"""`deps = msvc`: headers that a compiler names in what it prints, with a script in a compiler's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

# Prints as cl does: the source's name, the headers by their depth, and complaints; with a colon behind its prefix.
CL = """\
#!/bin/sh
echo "${1##*/}"
code=0
for name in $(sed -n 's/^#include "\\(.*\\)"/\\1/p' $1) $(sed -n 's/^#include "\\(.*\\)"/\\1/p' inc/*.h | sort -u); do
  echo "$3   ./inc/$name"
  grep -q error inc/$name && code=2
done
echo "$3 C:/Program Files/stdio.h"
echo "$1(1): warning: $(wc -l < $1) lines"
cat $1 inc/*.h > $2
exit $code
"""
BUILD = """\
msvc_deps_prefix = {prefix}
rule cl
  command = echo $tag >> @LOG@; sh ./cl $in $out '{shown}'
  deps = msvc
  description = CL $out
build one.obj: cl one.cpp
  tag = one
build two.obj: cl two.cpp
  tag = two
"""
ENGLISH = "Note: including file:"


@pytest.fixture(params=[("", ENGLISH), ("Hinweis: Einlesen der Datei:",) * 2], ids=["english", "german"])
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Pair:
    prefix, shown = request.param
    pair = Pair(tmp_path)
    pair.write("build.ninja", BUILD.format(prefix=prefix, shown=shown))
    pair.write("cl", CL)
    pair.write("inc/a.h", "// a\n")
    pair.write("inc/b.h", "// b\n")
    pair.write("one.cpp", '#include "a.h"\n')
    pair.write("two.cpp", '#include "b.h"\n')
    ninja, windrow = pair.both()
    assert windrow.ran == ninja.ran == ("one", "two")
    assert sorted(windrow.out.splitlines()[1::2]) == sorted(ninja.out.splitlines()[1::2])
    assert "including" not in windrow.out and "Einlesen" not in windrow.out
    return pair


def test_a_header_that_it_named_is_an_input(pair: Pair) -> None:
    assert pair.by_windrow().ran == ()
    pair.write("inc/a.h", "// another a\n")

    ninja, windrow = pair.both()

    assert windrow.ran == ninja.ran == ("one",)
    assert pair.by_windrow().out == "ninja: no work to do.\n"
    assert pair.tree(pair.windrow)["one.obj"] == pair.tree(pair.ninja)["one.obj"]


def test_a_header_that_a_header_includes_is_one_from_then_on(pair: Pair) -> None:
    pair.write("inc/c.h", "// c\n")
    pair.write("inc/a.h", '#include "c.h"\n')
    assert pair.both()[1].ran == ("one",)
    pair.write("inc/c.h", "// another c\n")

    ninja, windrow = pair.both()

    assert "one" in windrow.ran and windrow.ran == ninja.ran


def test_what_a_failed_compile_says_is_stripped_too(pair: Pair) -> None:
    pair.write("inc/a.h", "// error\n")

    ninja, windrow = pair.both()

    assert (windrow.code, ninja.code) == (2, 2), windrow.said
    assert "one.cpp(1): warning: 1 lines" in windrow.out
    assert "inc/a.h" not in windrow.out + ninja.out


def test_equal_work_elsewhere_is_found_and_says_the_same(pair: Pair) -> None:
    other = pair.by_windrow(folder=pair.ninja)

    assert other.code == 0 and other.ran == ()


def test_its_deps_are_told(pair: Pair) -> None:
    assert "    inc/a.h\n" in pair.by_windrow("-t", "deps", "one.obj").out
