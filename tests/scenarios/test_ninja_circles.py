"""Edges of a build.ninja that wait for each other: no concern of those who ask for something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

RULE = "rule cp\n  command = echo $out >> @LOG@; cat $in > $out\n"
FINE = RULE + "build a: cp x\nbuild b: cp a\n"
CIRCLES = {
    "two edges": "build c: cp d\nbuild d: cp c\n",
    "one edge": "build c: cp c\n",
    "phony": "build c: phony d\nbuild d: phony c\n",
    "order only": "build c: cp x || d\nbuild d: cp c\n",
    "behind it": "build c: cp d\nbuild d: cp c\nbuild e: cp c | b\nbuild all: phony e\n",
    "phony between": "build c: cp p\nbuild p: phony d\nbuild d: cp c\n",
}


def pair_of(home: Path, text: str) -> Pair:
    pair = Pair(home)
    pair.write("build.ninja", text)
    pair.write("x", "1")
    return pair


@pytest.mark.parametrize("circle", CIRCLES.values(), ids=CIRCLES)
def test_the_rest_is_built_and_kept(tmp_path: Path, circle: str) -> None:
    pair = pair_of(tmp_path, FINE + circle + "default b\n")

    assert [one.ran for one in pair.both()] == [("a", "b")] * 2
    assert pair.by_windrow().out == "ninja: no work to do.\n"
    pair.write("x", "2")
    assert [one.ran for one in pair.both("a")] == [("a",)] * 2
    assert [one.ran for one in pair.both()] == [("b",)] * 2
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)


@pytest.mark.parametrize(
    ("circle", "target"), [(text, one) for text in CIRCLES.values() for one in "cd" if f"build {one}:" in text]
)
def test_who_asks_for_it_is_told_the_way_around(tmp_path: Path, circle: str, target: str) -> None:
    pair = pair_of(tmp_path, FINE + circle + "default b\n")

    ninja, windrow = pair.both(target)

    assert (ninja.code, windrow.code) == (1, 1)
    assert windrow.err.splitlines()[0] == ninja.err.splitlines()[0]


@pytest.mark.parametrize(
    "text",
    {
        "default": FINE + CIRCLES["two edges"] + "default b c\n",
        "no roots": RULE + CIRCLES["two edges"],
        "validation": RULE + "build b: cp x |@ c\n" + CIRCLES["two edges"] + "default b\n",
        "behind it": FINE + CIRCLES["behind it"],
    }.values(),
)
def test_what_needs_it_is_refused(tmp_path: Path, text: str) -> None:
    ninja, windrow = pair_of(tmp_path, text).both()

    assert (ninja.code, windrow.code) == (1, 1)
    assert windrow.ran == ()


def test_what_was_built_before_there_was_a_circle_stays(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, FINE + "build c: cp x\n")
    pair.both()
    pair.write("build.ninja", FINE + CIRCLES["two edges"] + "default b\n")
    assert [one.ran for one in pair.both()] == [(), ()]
    pair.write("build.ninja", FINE + "build c: cp x\n")

    assert pair.by_windrow().code == 0
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
