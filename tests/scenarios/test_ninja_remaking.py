"""The build file is made anew, or is to be and is not: told as ninja tells it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

BUILD = """\
rule make
  command = {command}
  generator = 1
  description = MAKING
rule touch
  command = touch $out
build build.ninja: make list
build one: touch
build self: phony self
default one
"""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def outdated(pair: Pair, command: str) -> None:
    pair.write("build.ninja", BUILD.format(command=command))
    pair.write("list", "")
    for folder in (pair.ninja, pair.windrow):
        os.utime(folder / "build.ninja", (time.time() - 60,) * 2)


def test_it_is_told_on_stdout_before_all_else(pair: Pair) -> None:
    outdated(pair, "sed -i s/one/two/ build.ninja")

    windrow = pair.by_windrow()

    assert (windrow.code, windrow.out) == (0, "[0/1] MAKING\n[1/1] touch two\n")


def test_a_command_that_fails_ends_the_build_in_ninjas_words(pair: Pair) -> None:
    outdated(pair, "exit 3")

    ninja, windrow = pair.both()

    assert (windrow.code, windrow.err) == (ninja.code, ninja.err.splitlines(keepends=True)[-1])
    assert windrow.code == 1
    assert "FAILED: [code=3] build.ninja \nexit 3\n" in windrow.out
    assert not (pair.windrow / "one").exists()


def test_a_dry_run_tells_of_nothing_else_and_does_nothing(pair: Pair) -> None:
    outdated(pair, "touch ran")

    windrow = pair.by_windrow("-n")

    assert (windrow.code, windrow.out) == (0, "[1/1] MAKING\n")
    assert not (pair.windrow / "ran").exists()


def test_a_phony_edge_that_names_itself_is_a_cycle_for_who_needs_it_where_that_is_asked_for(pair: Pair) -> None:
    pair.write("list", "")
    pair.write("build.ninja", BUILD.format(command="true").replace("default one\n", ""))

    for words, code in (((), 0), (("one",), 0), (("self",), 1)):
        ninja, windrow = pair.both("-w", "phonycycle=err", *words)
        assert (windrow.code, ninja.code) == (code, code), windrow.said
    assert "dependency cycle: self -> self [-w phonycycle=err]" in windrow.err
    assert pair.by_windrow("-w", "phonycycle=warn", "self").code == 0


GENERATOR = """\
rule list
  command = cp $in $out
rule make
  command = cat some.rsp > seen && touch build.ninja
  generator = 1
  rspfile = some.rsp
  rspfile_content = $in and more
build new/folder/list: list names
build build.ninja: make new/folder/list
"""


def test_its_commands_have_the_folders_and_the_response_files_that_ninja_makes(pair: Pair) -> None:
    pair.write("build.ninja", GENERATOR)
    pair.write("names", "1\n")

    theirs, ours = pair.both()

    assert (ours.code, theirs.code) == (0, 0), ours
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    assert (pair.windrow / "seen").read_text() == "new/folder/list and more"


def test_verbosely_its_command_is_told(pair: Pair) -> None:
    outdated(pair, "touch build.ninja")

    assert "touch build.ninja\n" in pair.by_windrow("-v", "build.ninja").out
