"""What commands make and read besides the files that their edges name, of the real ninja and of Windrow."""

from __future__ import annotations

import pytest

from tests.scenarios.ninja_behaviours.comparison import CAT, quiet, same
from tests.scenarios.ninja_pair import Pair

# As CMake has Qt's uic run: what is compiled waits for a stamp, and a depfile tells of the header beside it.
UIC = """\
rule uic
  command = cp $in ui.h && touch $out && echo $out >> @LOG@
rule cc
  command = gcc -MD -MF $out.d -c $in -o $out && echo $out >> @LOG@
  depfile = $out.d
  deps = gcc
rule sh
  command = sh $in > $out && echo $out >> @LOG@
build stamp: uic form
"""


@pytest.mark.parametrize(("file", "text"), [("u.c", '#include "ui.h"\n'), ("u.sh", "cat ui.h\n")])
def test_a_file_beside_the_output_of_an_edge_that_only_comes_before_counts(pair: Pair, file: str, text: str) -> None:
    rule = "cc" if file == "u.c" else "sh"
    pair.write("build.ninja", UIC + CAT + f"build u: {rule} {file} || stamp\nbuild v: cat u\n")
    pair.write(file, text)
    pair.write("form", "int x = 1;\n")
    pair.both()
    quiet(pair)

    pair.write("form", "int x = 2;\n")
    theirs, ours = pair.both()

    assert (ours.code, "u" in ours.ran) == (0, True), f"{theirs}\n{ours}"
    assert (pair.windrow / "u").read_bytes() == (pair.windrow / "v").read_bytes()
    assert file != "u.sh" or (pair.windrow / "v").read_text() == "int x = 2;\n"
    if file == "u.c":
        # ninja sees it the next time, and what no depfile tells of never.
        pair.both()
        assert pair.tree(pair.windrow) == pair.tree(pair.ninja)


FOLDER = """\
rule html
  command = rm -rf $out && mkdir -p $out/sub && for n in $$(cat $in); do echo $$n > $out/sub/$$n; done && echo $out >> @LOG@
rule list
  command = cd html && ls sub > ../$out && cat sub/* >> ../$out && echo $out >> @LOG@
rule copy
  command = rm -rf $out && cp -r $in $out && echo $out >> @LOG@
rule names
  command = ls $in/sub > $out && echo $out >> @LOG@
build html: html names
build these: names html
build listing: list html
build copied: copy html
build b: cat copied/sub/one | copied
build copied/sub/one: phony copied
"""


def test_an_output_may_be_a_folder(pair: Pair) -> None:
    """As those of Meson's custom targets that write documentation."""
    pair.write("build.ninja", CAT + FOLDER)
    pair.write("names", "one two\n")
    same(pair)
    quiet(pair)

    pair.write("names", "one three\n")

    assert same(pair).ran == ("b", "copied", "html", "listing", "these")

    assert (pair.windrow / "listing").read_text() == "one\nthree\none\nthree\n"
    quiet(pair)


def test_a_folder_that_is_gone_comes_back(pair: Pair) -> None:
    pair.write("build.ninja", CAT + FOLDER)
    pair.write("names", "one two\n")
    same(pair)

    for path in ("html/sub/one", "html/sub/two"):
        pair.delete(path)
    for folder in (pair.ninja, pair.windrow):
        (folder / "html/sub").rmdir()
        (folder / "html").rmdir()
    pair.both()

    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    quiet(pair)


def test_a_command_is_not_given_what_it_made_besides_when_it_ran_before(pair: Pair) -> None:
    pair.write("build.ninja", "rule add\n  command = cat $in >> side && cat side > $out && echo x >> @LOG@\nbuild b: add a\n")
    pair.write("a", "1\n")
    same(pair)

    pair.write("a", "2\n")
    ours = pair.by_windrow()

    # As a build from nothing would have it; ninja adds to what is there.
    assert (ours.code, ours.ran) == (0, ("x",)), ours
    assert (pair.windrow / "b").read_text() == "2\n"


def test_a_file_beside_the_output_of_what_it_needs_is_there_the_first_time(pair: Pair) -> None:
    """Also for a command that only reads what its words name, and does not fail without it."""
    two = "rule two\n  command = cp $in side && cp $in $out && echo $out >> @LOG@\n"
    try_ = "rule try\n  command = test -f side && cat side > $out || echo none > $out; echo $out >> @LOG@\n"
    pair.write("build.ninja", two + try_ + "build b: two a\nbuild c: try | b\nbuild d: try || b\n")
    pair.write("a", "1\n")

    assert same(pair).ran == ("b", "c", "d")

    quiet(pair)
    pair.write("a", "2\n")
    pair.by_windrow()
    assert (pair.windrow / "c").read_text() == (pair.windrow / "d").read_text() == "2\n"


def test_a_word_names_a_file_from_where_the_command_goes(pair: Pair) -> None:
    """Nobody would hear of its absence: the command does not fail."""
    rule = "rule try\n  command = cd sub && test -f x && cat x > ../$out || echo none > ../$out; echo $out >> @LOG@\n"
    deep = "rule deep\n  command = cd sub && cd deep && test -f x && cat x ../x > ../../$out; echo $out >> @LOG@\n"
    pair.write("build.ninja", rule + deep + "build b: try a\nbuild c: deep a\n")
    pair.write("a", "")
    pair.write("sub/x", "1\n")
    pair.write("sub/deep/x", "2\n")

    assert same(pair).ran == ("b", "c")

    assert (pair.windrow / "b").read_text() == "1\n"
    quiet(pair)


@pytest.mark.parametrize("word", ["@opts", "@sub/opts", "-Wl,@more", "@@ROOT@/opts"])
def test_a_file_of_words_is_given_to_who_names_it(pair: Pair, word: str) -> None:
    rules = (
        "rule cc\n  command = gcc -c $in -o $out && echo $out >> @LOG@\n"
        f"rule link\n  command = gcc $in {word} -o $out && echo $out >> @LOG@\n"
    )
    pair.write("build.ninja", rules + "build m.o: cc m.c\nbuild program: link m.o\n")
    pair.write("m.c", "int main(void) { return 0; }\n")
    for path in ("opts", "sub/opts"):
        pair.write(path, "-Wl,--defsym=one=1\n")
    pair.write("more", "--defsym=one=1\n")

    assert same(pair).ran == ("m.o", "program")
    quiet(pair)


def test_a_folder_may_be_said_to_be_allowed_to_be_missing(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build folder: phony\nbuild b: cat a | folder\n")
    pair.write("a", "1\n")
    pair.write("folder/x", "1\n")

    assert same(pair).ran == ("b",)

    quiet(pair)
