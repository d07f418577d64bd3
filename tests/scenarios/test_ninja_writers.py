"""What writers of build.ninja other than CMake and Meson rely on: GN's stamp, depfiles of edges that run in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

# GN, as far as a build tool sees it: reads BUILD.gn and what that imports, writes build file, stamp and depfile.
GN = """\
echo gn >> @LOG@
imported=$(sed -n 's/^import //p' BUILD.gn)
{ cat head.ninja; for name in $(sed -n 's/^copy //p' BUILD.gn $imported); do echo "build $name.out: cp $name"; done
} > build.ninja.tmp
mv build.ninja.tmp build.ninja
echo "build.ninja.stamp: BUILD.gn head.ninja $imported" > build.ninja.d
touch build.ninja.stamp
"""
HEAD = """\
ninja_required_version = 1.7.2
rule gn
  command = sh ./gn
  pool = console
  description = Regenerating ninja files
build build.ninja.stamp: gn
  generator = 1
  depfile = build.ninja.d
build build.ninja: phony build.ninja.stamp
  generator = 1
rule cp
  command = echo $in >> @LOG@; cp $in $out
"""


@pytest.fixture
def gn(tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    for path, text in {"gn": GN, "head.ninja": HEAD, "BUILD.gn": "copy a\nimport more.gni\n", "more.gni": ""}.items():
        pair.write(path, text)
    for name in ("a", "b"):
        pair.write(name, name)
    pair.write("build.ninja", HEAD + "build a.out: cp a\n")
    pair.write("build.ninja.d", "build.ninja.stamp: BUILD.gn head.ninja more.gni\n")
    pair.write("build.ninja.stamp", "")
    assert pair.both()[0].ran == ("a",)
    return pair


def test_gn_runs_for_what_its_depfile_names_and_for_nothing_else(gn: Pair) -> None:
    gn.write("b", "another b")
    assert [one.ran for one in gn.both()] == [(), ()]
    gn.write("more.gni", "copy b\n")

    ninja, windrow = gn.both()

    assert windrow.ran == ninja.ran == ("b", "gn")
    assert gn.tree(gn.windrow) == gn.tree(gn.ninja)
    assert [one.ran for one in gn.both()] == [(), ()]


def test_gn_runs_for_a_file_that_it_reads_since_its_last_run(gn: Pair) -> None:
    gn.write("other.gni", "")
    gn.write("BUILD.gn", "copy a\nimport other.gni\n")
    assert [one.ran for one in gn.both()] == [("gn",), ("gn",)]
    gn.write("more.gni", "copy b\n")
    assert [one.ran for one in gn.both()] == [(), ()]
    gn.write("other.gni", "copy b\n")

    assert [one.ran for one in gn.both("b.out")] == [("b", "gn"), ("b", "gn")]


def test_only_the_build_file_may_be_asked_for(gn: Pair) -> None:
    gn.write("more.gni", "copy b\n")

    assert [one.ran for one in gn.both("build.ninja")] == [("gn",), ("gn",)]


IN_PLACE = """\
rule in_place
  command = echo $out >> @LOG@; cat $in read.txt > $out; echo "$out: read.txt" > $out.d
  depfile = $out.d
build console.out: in_place in
  pool = console
build generated.out: in_place in
  generator = 1
"""


def test_what_an_edge_in_the_build_folder_read_by_its_depfile_runs_it(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    for path, text in {"build.ninja": IN_PLACE, "in": "1", "read.txt": "1"}.items():
        pair.write(path, text)
    both = ("console.out", "generated.out")
    assert [one.ran for one in pair.both()] == [both, both]
    assert [one.ran for one in pair.both()] == [(), ()]
    pair.write("new.txt", "nobody's")
    assert [one.ran for one in pair.both()] == [(), ()]
    pair.write("read.txt", "2")

    assert [one.ran for one in pair.both()] == [both, both]
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)


def test_a_new_file_does_not_run_what_reads_other_languages(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    rule = "rule gen\n  command = echo gen >> @LOG@; cat data.txt > $out; echo '$out: data.txt' > $out.d\n"
    pair.write("build.ninja", rule + "  depfile = $out.d\nbuild out: gen gen.py\n")
    pair.write("gen.py", "")
    pair.write("data.txt", "1")
    assert [one.ran for one in pair.both()] == [("gen",), ("gen",)]
    pair.write("sub/new.py", "")
    pair.write("new.h", "")

    assert [one.ran for one in pair.both()] == [(), ()]
