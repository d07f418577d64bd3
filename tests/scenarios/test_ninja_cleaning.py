"""-t clean and -t cleandead: by the real ninja and by Windrow the same files go, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

BUILD = """\
rule cat
  command = cat $in > $out
rule pack
  command = cat $out.rsp > $out
  rspfile = $out.rsp
  rspfile_content = $in
rule stamp
  command = touch $out
  generator = 1
build sub/one | sub/more: cat a
build two: cat sub/one || made
build made: stamp
build packed: pack two
build other: cat a
build all: phony packed
default all other
"""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    made.write("build.ninja", BUILD)
    made.write("a", "1\n")
    made.write("packed.rsp", "left behind\n")
    for path in ("sub/one", "sub/more", "two", "made", "packed", "other"):
        made.write(path, path)
    return made


@pytest.mark.parametrize(
    "words",
    [
        ("-t", "clean"),
        ("-t", "clean", "-g"),
        ("-t", "clean", "all"),
        ("-t", "clean", "./two", "a"),
        ("-v", "-t", "clean", "two", "other"),
        ("-t", "clean", "-r", "cat"),
        ("-t", "clean", "-r", "cat", "stamp"),
        ("-t", "clean", "no-such", "other"),
        ("-t", "clean", "-r", "no-such", "pack"),
        ("-n", "-t", "clean"),
        ("-n", "-t", "clean", "-r", "pack"),
        ("--quiet", "-t", "clean", "other"),
    ],
    ids=" ".join,
)
def test_the_same_files_go_and_the_same_is_told(pair: Pair, words: tuple[str, ...]) -> None:
    ninja, windrow = pair.both(*words)

    assert (windrow.code, windrow.out, windrow.err) == (ninja.code, ninja.out, ninja.err)
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    assert "a" in pair.tree(pair.windrow)


def test_a_dead_output_goes_unless_it_is_a_source_now_or_somebody_wrote_over_it(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", BUILD)
    pair.write("a", "1\n")
    pair.by_windrow()
    fewer = "rule cat\n  command = cat $in > $out\nbuild new: cat other\n"
    pair.write("build.ninja", fewer)
    pair.write("two", "by hand\n")

    dry, done = pair.by_windrow("-n", "-t", "cleandead"), pair.by_windrow("-t", "cleandead")

    assert dry.out == "Cleaning...\nRemove made\nRemove packed\nRemove sub/one\n3 files.\n"
    assert done.out == "Cleaning... 3 files.\n"
    assert pair.tree(pair.windrow).keys() == {"a", "build.ninja", "other", "two"}
