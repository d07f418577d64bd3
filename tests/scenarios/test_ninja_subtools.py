"""Subtools that tell of what was read, side by side with ninja's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

BUILD = """\
rule gen
  command = echo "// $out" > $out
rule cc
  command = cat $in $reads > $out && echo "$out: $reads" > $out.d
  depfile = $out.d
  deps = gcc
reads = gen.h other.h src.h
build gen.h: gen
build other.h: gen
build fine.o: cc a.c || gen.h other.h
build mid: phony gen.h
build half.o: cc a.c || mid
build bad.o: cc a.c
build few.o: cc a.c
  reads = gen.h
build user: phony bad.o fine.o
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    pair = Pair(tmp_path_factory.mktemp("subtools"))
    for path, text in {"build.ninja": BUILD, "a.c": "", "src.h": ""}.items():
        pair.write(path, text)
    built = (pair.by_ninja("-j1"), pair.by_windrow("-j1"))
    assert [one.code for one in built] == [0, 0], built[1].said
    return pair


@pytest.mark.parametrize("targets", [(), ("fine.o",), ("half.o",), ("few.o", "gen.h"), ("user",), ("nosuch",)])
def test_missing_dependencies_are_those_that_ninja_finds(pair: Pair, targets: tuple[str, ...]) -> None:
    ninja, windrow = pair.both("-t", "missingdeps", *targets)

    assert windrow.code == ninja.code
    # ninja goes by the addresses of its edges where one target lacks several.
    assert sorted(windrow.said.splitlines()) == sorted(ninja.said.splitlines())


def test_before_anything_was_built_none_are_missing(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", BUILD)

    ninja, windrow = pair.both("-t", "missingdeps")

    assert (windrow.code, windrow.out) == (ninja.code, ninja.out)


@pytest.mark.parametrize("targets", [("half.o",), ("gen.h", "few.o"), ("nosuch",)])
def test_deps_are_told_as_ninja_does(pair: Pair, targets: tuple[str, ...]) -> None:
    told = [
        [line.partition(", deps mtime")[0] for line in one.said.splitlines() if not line.startswith("ninja: error")]
        for one in pair.both("-t", "deps", *targets)
    ]

    assert sorted(told[1]) == sorted(told[0])


def test_ninja_has_no_subtool_that_is_not_known(pair: Pair) -> None:
    ninja, windrow = pair.both("-t", "list")
    names = [{line.split()[0] for line in one.out.splitlines()[1:]} for one in (ninja, windrow)]

    assert names[0] - names[1] == {"browse"}
    assert "-t query" in pair.by_windrow("-t", "browse").err


@pytest.mark.parametrize(
    "words",
    [
        ("inputs", "half.o"),
        ("inputs", "-0", "half.o"),
        ("inputs", "--dependency-order", "-E", "user"),
        ("multi-inputs", "half.o", "few.o"),
        ("multi-inputs", "-d", ",", "half.o", "few.o"),
        ("multi-inputs", "--delimiter=;", "--print0", "fine.o"),
    ],
)
def test_inputs_take_the_flags_of_ninja(pair: Pair, words: tuple[str, ...]) -> None:
    ninja, windrow = pair.both("-t", *words)

    assert (windrow.code, windrow.out) == (ninja.code, ninja.out)
