"""What earlier builds left in a build folder, and build files that do not lie where their commands run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

# CMake names what its commands write by absolute paths.
STEPS = """\
rule touch
  command = echo $out >> @LOG@ && cmake -E touch @ROOT@/$out
rule fail
  command = echo $out >> @LOG@ && test -e fixed && touch $out
build stamp: touch in
build late: fail stamp
"""


def test_what_a_failed_build_left_is_no_input_of_who_made_it(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", STEPS)
    pair.write("in", "")
    assert [one.code for one in pair.both()] == [1, 1]
    assert [one.ran for one in pair.both()] == [("late",), ("late",)]
    pair.write("fixed", "")

    assert [(one.code, one.ran) for one in pair.both()] == [(0, ("late",))] * 2


BESIDE = """\
rule make
  command = echo $out >> @LOG@; mkdir -p CMakeFiles; cp $in $out; cp $in CMakeFiles/$out.side; cp $in @ROOT@/CMakeFiles/$out.named
build a: make in
"""


@pytest.mark.parametrize("forgotten", [False, True])
def test_byproducts_of_a_build_that_nobody_remembers_are_written_over(tmp_path: Path, forgotten: bool) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", BESIDE)
    pair.write("in", "1")
    pair.write("CMakeFiles/a.side", "0")
    pair.write("CMakeFiles/a.named", "0")
    if forgotten:
        pair.both()
        pair.forget()
        pair.write("in", "2")

    ninja, windrow = pair.both()

    assert (windrow.code, windrow.ran) == (ninja.code, ninja.ran) == (0, ("a",)), windrow.said
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    assert [one.ran for one in pair.both()] == [(), ()]


SOURCE = """\
rule spoil
  command = cp $in $out; echo 1 >> in2
build a: spoil in in2
"""


def test_sources_are_still_not_to_be_changed(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    for path, text in {"build.ninja": SOURCE.replace("cp $in", "cat $in >"), "in": "1", "in2": "2"}.items():
        pair.write(path, text)

    done = pair.by_windrow()

    assert done.code == 1
    assert "it changed its own inputs" in done.said


PARTS = """\
include parts/rules.ninja
build a: touch
build b: touch a
build c: touch
build all: phony b
"""


def test_a_build_file_elsewhere_includes_and_cleans_from_where_commands_run(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("parts/rules.ninja", "rule touch\n  command = echo $out >> @LOG@; touch $out\n")
    pair.write("parts/main.ninja", PARTS)
    named = ("-f", "parts/main.ninja")
    assert [(one.code, one.ran) for one in pair.both(*named)] == [(0, ("a", "b", "c"))] * 2
    assert {"a", "b", "c"} <= pair.tree(pair.windrow).keys()

    pair.both(*named, "-t", "clean", "all")

    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    assert not {"a", "b"} & pair.tree(pair.windrow).keys()


def test_each_build_file_of_a_folder_keeps_what_it_made(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    for name in ("one", "two"):
        rule = "rule make\n  command = echo $out >> @LOG@; cp in $out\n"
        pair.write(f"{name}.ninja", f"{rule}build {name}.out: make in\n")
    pair.write("in", "1")

    for name in ("one", "two", "one", "two"):
        pair.both("-f", f"{name}.ninja")

    assert {"one.out", "two.out"} <= pair.tree(pair.windrow).keys()
    assert [one.ran for one in pair.both("-f", "one.ninja")] == [(), ()]


UIC = """\
rule uic
  command = if [ ! -e ui.h ] || [ $in -nt ui.h ]; then cp $in ui.h; fi; touch $out && echo $out >> @LOG@
rule cc
  command = gcc -MD -MF $out.d -c $in -o $out && echo $out >> @LOG@
  depfile = $out.d
  deps = gcc
build stamp: uic ../form
build ui.h: phony stamp
build autogen: phony ui.h stamp
build o: cc ../u.c || autogen
"""


@pytest.mark.parametrize("edited", [False, True])
def test_what_a_phony_edge_names_and_ninja_left_is_no_source(tmp_path: Path, edited: bool) -> None:
    """As the headers that CMake has Qt's uic make: a command that goes by times leaves what is as old as its source."""
    pair = Pair(tmp_path)
    pair.write("b/build.ninja", UIC)
    pair.write("form", "int x = 1;\n")
    pair.write("u.c", '#include "b/ui.h"\n')
    assert pair.by_ninja("-C", "b").code == 0
    for path in ("ui.h", "stamp", "o"):
        (pair.windrow / "b" / path).write_bytes((pair.ninja / "b" / path).read_bytes())
    if edited:
        pair.write("form", "int x = 2;\n")

    ran = pair.by_windrow("-C", "b")

    assert ran.code == 0, ran.said
    assert (pair.windrow / "b/ui.h").read_text() == (pair.windrow / "form").read_text()
    pair.from_nothing("-C", "b")
    assert (pair.windrow / "b/o").read_bytes() == (pair.clean / "b/o").read_bytes()
