"""What ninja's manual says of when an output is out of date, of the real ninja and of Windrow."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.scenarios.ninja_behaviours.comparison import CAT, quiet, same
from tests.scenarios.ninja_pair import Pair


def test_a_build_with_nothing_to_do_says_so(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\n")
    pair.write("a", "1\n")

    assert same(pair).ran == ("b",)

    quiet(pair)


DEPFILE = """\
rule cc
  command = echo $out >> @LOG@ && cat $in inc/h > $out && echo $out: $in inc/h > $out.d
  depfile = $out.d
  {deps}
build o: cc s
"""


@pytest.mark.parametrize("deps", ["", "deps = gcc"])
def test_a_header_that_a_depfile_tells_of_is_an_input(pair: Pair, deps: str) -> None:
    pair.write("build.ninja", DEPFILE.format(deps=deps))
    pair.write("s", "s\n")
    pair.write("inc/h", "1\n")
    pair.by_ninja()
    pair.by_windrow()
    quiet(pair)

    pair.write("inc/h", "2\n")
    theirs, ours = pair.both()

    assert theirs.ran == ours.ran == ("o",)
    assert (pair.windrow / "o").read_text() == "s\n2\n"
    quiet(pair)


def test_a_depfile_that_is_not_written_is_no_failure(pair: Pair) -> None:
    pair.write(
        "build.ninja",
        "rule r\n  command = echo x >> @LOG@; cat $in > $out\n  depfile = $out.d\n  deps = gcc\nbuild o: r s\n",
    )
    pair.write("s", "s\n")

    theirs, ours = pair.both()

    # ninja builds it again each time, without a word.
    assert (theirs.code, ours.code) == (0, 0), ours
    assert (pair.windrow / "o").read_text() == "s\n"


def test_an_output_that_came_out_the_same_ends_the_rebuild(pair: Pair) -> None:
    restat = "rule first\n  command = echo $out >> @LOG@ && head -n 1 $in > $out.n && if cmp -s $out.n $out; then rm $out.n; else mv $out.n $out; fi\n  restat = 1\n"
    pair.write("build.ninja", CAT + restat + "build b: first a\nbuild c: cat b\n")
    pair.write("a", "1\n2\n")
    same(pair)

    pair.write("a", "1\n3\n")

    assert same(pair).ran == ("b",)
    quiet(pair)


GENERATED = """\
rule gen
  command = echo gen >> @LOG@ && sh gen.sh $flag
  generator = 1
  description = GEN
build build.ninja: gen | list gen.sh
  flag = 1
"""
GENERATOR = """\
{ sed -n '1,/flag/p' build.ninja
echo 'rule cat'
echo '  command = echo $out >> @LOG@ && cat $in > $out'
for n in $(cat list); do echo "build out/$n: cat in"; done; } > build.ninja.new
mv build.ninja.new build.ninja
"""


def test_the_build_file_is_made_anew_first(pair: Pair) -> None:
    pair.write("list", "a\n")
    pair.write("gen.sh", GENERATOR)
    pair.write("in", "1\n")
    pair.write("build.ninja", GENERATED + CAT.replace("  description = CAT $out\n", "") + "build out/a: cat in\n")
    first = pair.both()
    assert first[1].code == 0, first

    pair.write("list", "a b\n")
    theirs, ours = pair.both()

    assert theirs.ran == ours.ran == ("gen", "out/b"), f"{theirs}\n{ours}"
    assert (pair.windrow / "out/b").read_text() == "1\n"
    quiet(pair)


def test_another_command_line_alone_does_not_run_a_generator(pair: Pair) -> None:
    pair.write("list", "")
    pair.write("gen.sh", GENERATOR)
    pair.write("in", "1\n")
    pair.write("build.ninja", GENERATED + CAT + "build b: cat in\n")
    pair.both()
    text = GENERATED.replace("flag = 1", "flag = 2") + CAT + "build b: cat in\n"
    for folder in (pair.ninja, pair.windrow):
        status = (folder / "build.ninja").stat()
        (folder / "build.ninja").write_text(text.replace("@LOG@", str(pair.log)))
        os.utime(folder / "build.ninja", ns=(status.st_atime_ns, status.st_mtime_ns))

    theirs, ours = pair.both()

    assert "gen" not in theirs.ran
    assert "gen" not in ours.ran


def test_an_order_only_input_comes_first_and_never_dirties(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild d: cat c || b\n")
    pair.write("a", "1\n")
    pair.write("c", "1\n")
    assert same(pair).ran == ("b", "d")

    pair.write("a", "2\n")

    assert same(pair).ran == ("b",)


def test_an_implicit_output_is_made_again_when_it_is_gone(pair: Pair) -> None:
    pair.write("build.ninja", "rule two\n  command = echo x >> @LOG@; cat $in > o; cat $in > p\nbuild o | p: two a\n")
    pair.write("a", "1\n")
    same(pair)

    pair.delete("p")
    theirs, ours = pair.both()

    assert theirs.ran == ("x",)
    assert ours.ran == ()
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)


def test_a_validation_runs_along_and_holds_nothing_up(pair: Pair) -> None:
    rules = CAT + "rule no\n  command = echo no >> @LOG@; false\n"
    pair.write("build.ninja", rules + "build b: cat a |@ v\nbuild v: no b\nbuild c: cat b\ndefault c\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both("-k", "0")

    assert theirs.ran == ours.ran == ("b", "c", "no")
    assert (theirs.code, ours.code) == (1, 1)
    assert (pair.windrow / "c").read_text() == "1\n"


def test_a_phony_edge_is_another_name(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat a\nbuild all: phony b\n")
    pair.write("a", "1\n")

    assert same(pair, "all").ran == ("b",)

    quiet(pair, "all")
    assert same(pair).ran == ("c",)


def test_what_needs_a_phony_edge_without_inputs_always_runs(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build FORCE: phony\nbuild b: cat a | FORCE\nbuild c: cat b\n")
    pair.write("a", "1\n")
    same(pair)

    theirs, ours = pair.both()

    assert theirs.ran == ("b", "c")
    assert ours.ran == ("b",)


def test_an_output_that_is_never_made_is_never_up_to_date(pair: Pair) -> None:
    pair.write("build.ninja", "rule no\n  command = echo x >> @LOG@\nbuild b: no a\n")
    pair.write("a", "1\n")

    assert same(pair).ran == ("x",)
    assert same(pair).ran == ("x",)


def test_another_content_of_a_response_file_is_another_command(pair: Pair) -> None:
    rule = (
        "rule r\n  command = echo x >> @LOG@ && cat $out.rsp > $out\n  rspfile = $out.rsp\n  rspfile_content = $text\n"
    )
    pair.write("build.ninja", rule + "build b: r a\n  text = one 'two'\n")
    pair.write("a", "1\n")
    same(pair)

    pair.write("build.ninja", rule + "build b: r a\n  text = three\n")

    assert same(pair).ran == ("x",)
    assert (pair.windrow / "b").read_text() == "three"
    assert not (pair.windrow / "b.rsp").exists()


def test_absolute_paths_are_the_trees_own(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build @ROOT@/b: cat @ROOT@/a\nbuild c: cat @ROOT@/b\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both()

    assert ours.code == 0, ours
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    quiet(pair)


def test_an_output_may_be_a_symlink(pair: Pair) -> None:
    pair.write(
        "build.ninja",
        CAT
        + "rule ln\n  command = ln -sfn b $out && echo ln >> @LOG@\nbuild b: cat a\nbuild l: ln b\nbuild c: cat l\n",
    )
    pair.write("a", "1\n")
    same(pair)
    quiet(pair)

    pair.write("a", "2\n")

    pair.both()
    assert (pair.windrow / "c").read_text() == "2\n"
    assert os.readlink(pair.windrow / "l") == "b"


def test_a_script_that_no_edge_names_is_an_input(pair: Pair) -> None:
    pair.write("build.ninja", "rule s\n  command = echo x >> @LOG@; sh script.sh > $out\nbuild b: s a\n")
    pair.write("a", "1\n")
    pair.write("script.sh", "echo one\n")
    same(pair)

    pair.write("script.sh", "echo two\n")
    theirs, ours = pair.both()

    assert theirs.ran == (), "ninja does not know of it"
    assert ours.ran == ("x",)
    assert (pair.windrow / "b").read_text() == "two\n"


def test_who_reads_a_thin_archive_reads_its_members(pair: Pair) -> None:
    rules = (
        "rule cc\n  command = gcc -c $in -o $out && echo $out >> @LOG@\n"
        "rule ar\n  command = rm -f $out && ar csrDT $out $in && echo $out >> @LOG@\n"
        "rule link\n  command = gcc $in -o $out && echo $out >> @LOG@\n"
    )
    edges = "build f.o: cc f.c\nbuild m.o: cc m.c\nbuild libf.a: ar f.o\nbuild program: link m.o libf.a\n"
    pair.write("build.ninja", rules + edges)
    pair.write("m.c", "int f(void); int main(void) { return f(); }\n")

    # The archive comes out the same, for the objects are equally long.
    for value in (3, 4):
        pair.write("f.c", f"int f(void) {{ return {value}; }}\n")
        ran = pair.by_windrow()
        assert ran.code == 0, ran.said
        assert "repeated" not in ran.said
        assert subprocess.run([pair.windrow / "program"], check=False).returncode == value


def test_what_a_link_copied_and_somebody_wrote_over_is_no_header_of_what_it_links(pair: Pair) -> None:
    """As by a POST_BUILD of CMake: a name without an ending could be that of a header, and the copy is no output."""
    pair.write(
        "build.ninja",
        "rule cc\n  command = gcc -MD -MF $out.d -c $in -o $out && echo $out >> @LOG@\n  depfile = $out.d\n  deps = gcc\n"
        "rule ld\n  command = gcc $in -o $out && cp $out copied && echo $out >> @LOG@\n"
        "build main.o: cc main.c\nbuild main: ld main.o\n",
    )
    pair.write("main.c", "int main(void) { return 0; }\n")
    same(pair)

    pair.write("copied", "by hand\n", mode=0o755)

    quiet(pair)
    pair.write("main.c", "int main(void) { return 1; }\n")
    assert same(pair).ran == ("main", "main.o")
