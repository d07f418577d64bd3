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


# A depfile without `deps`: ninja reads it where it lies, and leaves it there.
PLAIN = """\
rule cat
  command = cat $in part > $out && echo '$out: $in part' > $out.d && echo $out >> @LOG@
  depfile = $out.d
build sub/out: cat in
build other: cat source
  deps = gcc
"""


@pytest.fixture
def plain(pair: Pair) -> Pair:
    pair.write("build.ninja", PLAIN)
    pair.write("part", "1\n")
    return pair


def _same(pair: Pair, *words: str) -> tuple[str, ...]:
    ninja, windrow = pair.both(*words)
    assert (windrow.code, windrow.ran) == (ninja.code, ninja.ran), windrow.said
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    return windrow.ran


def test_a_depfile_without_deps_stays_where_ninja_leaves_it(plain: Pair) -> None:
    assert _same(plain) == ("other", "sub/out")
    assert (plain.windrow / "sub/out.d").read_text() == "sub/out: in part\n"
    assert not (plain.windrow / "other.d").exists()
    assert _same(plain) == ()

    plain.write("part", "2\n")

    assert _same(plain) == ("other", "sub/out")
    assert _same(plain) == ()


def test_it_comes_with_what_is_found_in_the_cache(plain: Pair, tmp_path: Path) -> None:
    plain.by_windrow()
    elsewhere = Pair(tmp_path / "elsewhere")
    elsewhere.home, elsewhere.log = plain.home, plain.log
    for path, text in plain.files.items():
        elsewhere.write(path, text)

    assert elsewhere.by_windrow().ran == ()

    assert (elsewhere.windrow / "sub/out.d").read_text() == "sub/out: in part\n"


def test_one_that_is_gone_comes_back_and_one_that_was_written_over_too(plain: Pair) -> None:
    _same(plain)
    for harm in (Path.unlink, lambda path: path.write_text("sub/out: nowhere\n")):
        harm(plain.windrow / "sub/out.d")

        assert plain.by_windrow().ran == ()

        assert plain.tree(plain.windrow) == plain.tree(plain.ninja)


def test_a_depfile_that_another_tool_left_is_written_over(plain: Pair) -> None:
    plain.write("sub/out.d", "sub/out: gone\n")
    plain.write("other.d", "other: gone\n")

    assert _same(plain) == ("other", "sub/out")
    assert not (plain.windrow / "other.d").exists()


def test_it_goes_with_clean_and_stays_with_cleandead(plain: Pair) -> None:
    _same(plain)
    for words in (("-t", "cleandead"), ("-t", "clean")):
        ninja, windrow = plain.both(*words)
        assert windrow.out == ninja.out
        assert plain.tree(plain.windrow) == plain.tree(plain.ninja)
    plain.by_ninja()

    assert plain.by_windrow().ran == ()

    assert plain.tree(plain.windrow) == plain.tree(plain.ninja)


def test_one_that_names_the_checkout_is_found_only_there(plain: Pair, tmp_path: Path) -> None:
    plain.write("build.ninja", PLAIN.replace("$in part'", "$in @ROOT@/part'"))
    assert _same(plain) == ("other", "sub/out")
    plain.forget()

    assert plain.by_windrow().ran == ()

    elsewhere = Pair(tmp_path / "elsewhere")
    elsewhere.home, elsewhere.log = plain.home, plain.log
    for path, text in plain.files.items():
        elsewhere.write(path, text)
    assert elsewhere.by_windrow().ran == ("sub/out",)
    assert (elsewhere.windrow / "sub/out.d").read_text() == f"sub/out: in {elsewhere.windrow}/part\n"


def test_every_depfile_is_kept_where_that_is_asked_for(plain: Pair) -> None:
    assert _same(plain, "-d", "keepdepfile") == ("other", "sub/out")
    assert (plain.windrow / "other.d").read_text() == "other: source part\n"
    assert _same(plain) == ()

    plain.write("part", "2\n")

    assert _same(plain) == ("other", "sub/out")
    assert not (plain.windrow / "other.d").exists()
    assert _same(plain, "-d", "keepdepfile") == ()


# The header is not where the command line has it looked for, so only the depfile tells of it.
IN_PLACE = """\
rule gen
  command = cat $in > $out && echo $out >> @LOG@
rule cc
  command = : -c && cat $in hidden/h.h made.h > $out; echo '$out: $in hidden/h.h made.h' > $out.d && echo $out >> @LOG@
  depfile = $out.d
  deps = gcc
  pool = console
build out: cc in.c
build made.h: gen source
"""


def test_what_an_edge_with_the_terminal_says_that_it_read_counts_from_then_on(pair: Pair) -> None:
    pair.write("build.ninja", IN_PLACE.replace("", "").replace("in.c", "in.c || made.h"))
    for path in ("in.c", "hidden/h.h"):
        pair.write(path, "1\n")
    assert _same(pair) == ("made.h", "out")
    assert _same(pair) == ()

    for path in ("hidden/h.h", "source"):
        pair.write(path, "2\n")
        assert "out" in _same(pair)
        assert _same(pair) == ()


def test_it_runs_again_once_what_it_read_is_made(pair: Pair) -> None:
    pair.write(
        "build.ninja", IN_PLACE.replace("cat $in hidden/h.h made.h > $out", "cat $in > $out; cat made.h >> $out")
    )
    pair.write("in.c", "1\n")
    pair.write("hidden/h.h", "1\n")
    pair.write("made.h", "old\n")

    first = pair.by_windrow("-j2")

    assert (pair.windrow / "out").read_text() == "1\n1\n", first.said
    assert pair.by_windrow().ran == ()


def test_a_file_that_was_a_source_may_become_a_depfile(plain: Pair) -> None:
    plain.write("other.d", "other: gone\n")
    plain.write(
        "build.ninja",
        PLAIN.replace(
            "build other: cat source\n  deps = gcc\n", "rule cp\n  command = cp $in $out\nbuild other: cp other.d\n"
        ),
    )
    assert [one.code for one in plain.both()] == [0, 0]
    plain.write("build.ninja", PLAIN.replace("  deps = gcc\n", ""))

    assert _same(plain) == ("other",)

    assert (plain.windrow / "other.d").read_text() == "other: source part\n"
    assert _same(plain) == ()


def test_only_what_was_asked_for_comes_from_afar(plain: Pair) -> None:
    assert plain.by_windrow("--download", "targets", "other").code == 0
    plain.forget()
    for path in ("sub/out", "sub/out.d"):
        plain.delete(path)

    assert plain.by_windrow("--download", "targets", "sub/out").code == 0

    assert (plain.windrow / "sub/out.d").read_text() == "sub/out: in part\n"


def test_an_edge_that_does_not_write_the_one_that_is_to_stay_runs_each_time(plain: Pair) -> None:
    plain.write("build.ninja", PLAIN.replace("echo '$out: $in part' > $out.d", "true"))

    for _ in range(2):
        assert "sub/out" in _same(plain)
    assert _same(plain, "other") == ()


def test_an_edge_runs_again_once_its_depfile_is_to_stay(plain: Pair) -> None:
    assert _same(plain) == ("other", "sub/out")
    plain.write("build.ninja", PLAIN.replace("  deps = gcc\n", ""))

    assert _same(plain) == ("other",)
    assert _same(plain) == ()
