"""What depfiles name beyond what a job was given, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

# It is told of a file and does not look into it.
TOLD = """\
rule gen
  command = cat $in > $out && echo $out >> @LOG@
rule told
  command = cat $in > $out && echo '$out: made.h' > $out.d && echo $out >> @LOG@
  depfile = $out.d
  deps = gcc
build made.h: gen source
build out: told in || made.h
"""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    made.write("in", "1\n")
    made.write("source", "1\n")
    return made


def test_a_made_file_that_was_not_given_is_an_input_from_then_on(pair: Pair) -> None:
    pair.write("build.ninja", TOLD)
    first = pair.by_windrow()
    assert (first.code, set(first.ran)) == (0, {"made.h", "out"}), first.said
    pair.by_ninja()
    assert pair.by_windrow().ran == ()

    pair.write("source", "2\n")
    ninja, windrow = pair.both()

    assert windrow.ran == ninja.ran == ("made.h", "out")


def test_it_is_one_without_an_order_too(pair: Pair) -> None:
    pair.write("build.ninja", TOLD.replace(" || made.h", ""))
    pair.by_windrow("-j2")

    pair.write("source", "2\n")

    assert pair.by_windrow().ran == ("made.h", "out")


def test_a_source_that_was_not_given_is_one(pair: Pair) -> None:
    pair.write("build.ninja", TOLD.replace("made.h' >", "notes' >"))
    pair.write("notes", "1\n")
    pair.both()

    pair.write("notes", "2\n")
    ninja, windrow = pair.both()

    assert windrow.ran == ninja.ran == ("out",)


def test_a_result_that_rests_on_it_is_found_only_where_it_is_the_same(pair: Pair, tmp_path: Path) -> None:
    pair.write("build.ninja", TOLD)
    pair.by_windrow()
    for name, source, ran in (("same", "1\n", ()), ("other", "2\n", ("made.h", "out"))):
        elsewhere = Pair(tmp_path / name)
        elsewhere.home, elsewhere.log = pair.home, pair.log
        for path, text in {**pair.files, "source": source}.items():
            elsewhere.write(path, text)

        assert elsewhere.by_windrow().ran == ran


def test_a_file_that_is_nowhere_fails_nothing_and_runs_nothing_again(pair: Pair) -> None:
    pair.write("build.ninja", TOLD.replace("made.h' >", "nowhere' >"))
    assert pair.by_windrow().code == 0
    assert pair.by_windrow().ran == ()

    pair.write("nowhere", "")

    assert pair.by_windrow().ran == ("out",)


@pytest.mark.parametrize("deps", ["  deps = gcc\n", ""])
def test_a_depfile_that_is_none_fails_the_job(pair: Pair, deps: str) -> None:
    pair.write("build.ninja", TOLD.replace("'$out: made.h'", "garbage").replace("  deps = gcc\n", deps))

    windrow = pair.by_windrow("out")

    assert (windrow.code, windrow.ran) == (1, ("made.h", "out"))
    assert "expected ':' in depfile out.d" in windrow.out


def test_an_empty_depfile_says_that_nothing_was_read(pair: Pair) -> None:
    pair.write("build.ninja", TOLD.replace("echo '$out: made.h' >", ": >"))

    assert pair.by_windrow().code == 0
    assert pair.by_windrow().ran == ()
