"""What ninja's manual says of builds, one behaviour a test, of the real ninja and of Windrow."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import NINJA, ROOT, Pair, Ran

WINDROW = (sys.executable, "-c", "import windrow; windrow.ninja()")
CAT = """\
rule cat
  command = echo $out >> @LOG@ && cat $in > $out
  description = CAT $out
"""
NOTHING = "ninja: no work to do.\n"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def same(pair: Pair, *words: str, code: int = 0, env: dict[str, str] | None = None) -> Ran:
    """A build by both, which ran the same and left the same."""
    theirs, ours = pair.both(*words, env=env)
    assert (ours.code, ours.ran) == (theirs.code, theirs.ran), f"{theirs}\n{ours}"
    assert ours.code == code, ours
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    return ours


def quiet(pair: Pair, *words: str) -> None:
    """A build by both that has nothing to do."""
    theirs, ours = pair.both(*words)
    assert (theirs.out, theirs.ran) == (NOTHING, ()), theirs
    assert (ours.code, ours.out, ours.ran) == (0, NOTHING, ()), ours


def complaint(pair: Pair, *words: str) -> str:
    """What both say first of what cannot be done."""
    theirs, ours = pair.both(*words)
    assert (theirs.code, ours.code) == (1, 1), f"{theirs}\n{ours}"
    first = ours.err.splitlines()[0]
    # ninja names the line behind an edge where it is not one of syntax.
    assert re.sub(r":\d+:", "::", first) == re.sub(r":\d+:", "::", theirs.err.splitlines()[0])
    return first


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


def test_defaults_are_built_when_nothing_is_named(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat a\nbuild d: cat a\ndefault b c\n")
    pair.write("a", "1\n")

    assert same(pair).ran == ("b", "c")
    assert same(pair, "d").ran == ("d",)
    quiet(pair)


FAILING = CAT + "rule no\n  command = echo $out >> @LOG@; echo half > $out; echo sorry; exit 3\n" + "".join(f"build f{n}: no a\n" for n in range(4)) + "build b: cat a\nbuild z: cat f0\n"  # fmt: skip


@pytest.mark.parametrize(("flags", "ran"), [(("-k", "0"), 5), (("-j1", "-k", "2"), 2), (("-j1",), 1)])
def test_as_many_may_fail_as_k_says(pair: Pair, flags: tuple[str, ...], ran: int) -> None:
    pair.write("build.ninja", FAILING)
    pair.write("a", "1\n")

    theirs, ours = pair.both(*flags)

    assert theirs.code == ours.code == 3
    assert sum(word[0] == "f" for word in theirs.ran) == min(ran, 4)
    # What was handed over and not begun does not begin.
    assert sum(word[0] == "f" for word in ours.ran) == min(ran, 4)
    assert ours.out.splitlines()[-1] == theirs.out.splitlines()[-1]
    assert "z" not in ours.ran
    assert not list(pair.windrow.glob("f*"))


def test_a_failure_is_told_as_ninja_tells_it(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "rule no\n  command = echo sorry; exit 3\nbuild f: no a\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both()

    assert theirs.code == ours.code
    assert [line.rstrip() for line in ours.out.splitlines()] == [line.rstrip() for line in theirs.out.splitlines()]


def test_a_dry_run_runs_nothing(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat b\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both("-n")

    assert theirs.ran == ours.ran == ()
    assert ours.out == theirs.out
    assert set(pair.tree(pair.windrow)) == {"a", "build.ninja"}


def test_no_more_run_at_once_than_a_pool_is_deep(pair: Pair) -> None:
    # A second at once would find the place taken, and fail.
    rule = (
        "rule p\n  command = mkdir @LOG@.one && cat a a a > $out && rmdir @LOG@.one && echo ok >> @LOG@\n  pool = one\n"
    )
    pair.write("build.ninja", "pool one\n  depth = 1\n" + rule + "".join(f"build o{n}: p a\n" for n in range(8)))
    pair.write("a", "1\n" * 1000)

    assert same(pair, "-j8").ran == ("ok",) * 8


def test_of_a_pool_two_deep_two_run_at_once(pair: Pair) -> None:
    # Each waits for another: one alone would wait for ever. A third would find both places taken, and fail.
    wait = (
        "n=0; until test -d @LOG@.a -a -d @LOG@.b -o -e @LOG@.met || test $$n = 3000; do sleep 0.01; n=$$((n+1)); done"
    )
    take = "for p in a b none; do mkdir @LOG@.$$p 2> /dev/null && break; done; test $$p != none"
    command = f"{take} && {wait} && test $$n != 3000 && touch @LOG@.met && cat a > $out && rmdir @LOG@.$$p && echo ok >> @LOG@"
    rule = f"rule p\n  command = {command}\n  pool = two\n"
    pair.write("build.ninja", "pool two\n  depth = 2\n" + rule + "".join(f"build o{n}: p a\n" for n in range(6)))
    pair.write("a", "1\n")

    for tool in (pair.by_ninja, pair.by_windrow):
        ran = tool("-j8")
        assert (ran.code, ran.ran) == (0, ("ok",) * 6), ran.said
        (pair.home / "ran.met").unlink()


def test_ninja_status_says_how_lines_begin(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat b\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both(env={"NINJA_STATUS": "<%s/%t %p %f %u %r> "})

    assert re.sub(r"\d", "", ours.out) == re.sub(r"\d", "", theirs.out)
    assert ours.out.splitlines()[-1] == theirs.out.splitlines()[-1]


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


def test_dollars_quotes_and_blanks_reach_the_shell(pair: Pair) -> None:
    rule = "rule q\n  command = x='it is' && echo \"$$x $$(echo '$$5')\" 'a \"b\"' \\\\ $in > $out; echo x >> @LOG@\n"
    pair.write("build.ninja", rule + "build b$ $$: q a$ b\n")
    pair.write("a b", "1\n")

    assert same(pair).ran == ("x",)
    quiet(pair)


def test_a_command_may_go_elsewhere_first(pair: Pair) -> None:
    pair.write(
        "build.ninja", "rule cd\n  command = cd sub && cat x ../a > ../b && echo x >> @LOG@\nbuild b: cd sub/x a\n"
    )
    pair.write("a", "1\n")
    pair.write("sub/x", "2\n")

    same(pair)
    quiet(pair)


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


def test_a_source_that_is_gone_is_named(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\nbuild c: cat b\n")
    pair.write("a", "1\n")
    same(pair)

    pair.delete("a")

    assert complaint(pair) == "ninja: error: 'a', needed by 'b', missing and no known rule to make it"
    assert complaint(pair, "c") == "ninja: error: 'a', needed by 'b', missing and no known rule to make it"


@pytest.mark.parametrize(
    ("words", "build"),
    [
        (("bb",), "build b: cat a\n"),
        (("nothing-like-it",), "build b: cat a\n"),
        (("cat",), "build b: cat a\n"),
        (("b*",), "build b: cat a\n"),
        ((), "build b: cat c\nbuild c: cat b\n"),
        (("b",), "build b: cat c\nbuild c: cat b\n"),
        (("b",), "build b: phony c\nbuild c: phony b\n"),
        ((), "build all: phony gone\n"),
        ((), "build b: cat a || gone\n"),
        ((), "build b: cat a\nbuild b: cat a\n"),
        ((), "build b: unheard a\n"),
        (("-f", "other.ninja"), ""),
        (("-C", "nowhere"), ""),
    ],
)
def test_what_cannot_be_done_is_told_in_ninjas_words(pair: Pair, words: tuple[str, ...], build: str) -> None:
    pair.write("build.ninja", CAT + build)
    pair.write("a", "1\n")

    complaint(pair, *words)


def test_a_source_as_a_target_is_no_work(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\n")
    pair.write("a", "1\n")

    quiet(pair, "a")
    assert same(pair, "a^").ran == ("b",)


def test_another_folder_is_entered_and_told(pair: Pair) -> None:
    pair.write("sub/build.ninja", CAT + "build b: cat ../a\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both("-C", "sub")

    assert ours.out == theirs.out
    assert (pair.windrow / "sub/b").read_text() == "1\n"


def test_the_console_pool_has_the_terminal(pair: Pair) -> None:
    rule = "rule ask\n  command = read answer; echo got $$answer; echo $$answer > $out\n  pool = console\n"
    pair.write("build.ninja", rule + "build b: ask a\n")
    pair.write("a", "1\n")

    said = [subprocess.run(tool, cwd=folder, input="word\n", env=environment(pair), capture_output=True, text=True, timeout=60) for tool, folder in (((NINJA,), pair.ninja), (WINDROW, pair.windrow))]  # fmt: skip

    assert [done.returncode for done in said] == [0, 0], said
    assert (pair.windrow / "b").read_text() == (pair.ninja / "b").read_text() == "word\n"
    assert "got word" in said[1].stdout


def test_the_console_belongs_to_one_command_at_a_time_while_others_run_beside(pair: Pair) -> None:
    # A second one of the pool at once would find the place taken. The other waits for the first, and it for the other.
    rules = (
        "rule alone\n  command = mkdir @LOG@.one && touch @LOG@.here && "
        "until test -e @LOG@.beside; do sleep 0.01; done; rmdir @LOG@.one && cat a > $out && echo alone >> @LOG@\n  pool = console\n"
        "rule beside\n  command = until test -e @LOG@.here; do sleep 0.01; done; touch @LOG@.beside; cat a > $out; echo beside >> @LOG@\n"
    )
    pair.write("build.ninja", rules + "".join(f"build o{n}: alone a\n" for n in range(4)) + "build x: beside a\n")
    pair.write("a", "1\n")

    for tool in (pair.by_ninja, pair.by_windrow):
        ran = tool("-j8")
        assert (ran.code, ran.ran) == (0, ("alone",) * 4 + ("beside",)), ran.said
        for mark in ("here", "beside"):
            (pair.home / f"ran.{mark}").unlink()


def test_while_the_console_is_taken_nothing_else_is_printed(pair: Pair) -> None:
    rules = (
        "rule alone\n  command = touch @LOG@.here; until test -e @LOG@.beside; do sleep 0.01; done; sleep 0.2; echo mine; cat a > $out\n"
        "  pool = console\n  description = ALONE\n"
        "rule beside\n  command = until test -e @LOG@.here; do sleep 0.01; done; echo theirs; cat a > $out; touch @LOG@.beside\n"
        "  description = BESIDE\n"
    )
    pair.write("build.ninja", rules + "build o: alone a\nbuild x: beside a\n")
    pair.write("a", "1\n")

    lines = []
    for tool, folder in (((NINJA,), pair.ninja), (WINDROW, pair.windrow)):
        done = subprocess.run(tool, cwd=folder, stdin=subprocess.DEVNULL, env=environment(pair), capture_output=True, text=True, timeout=60)  # fmt: skip
        lines.append([line for line in done.stdout.splitlines() if line in ("mine", "theirs")])
        for mark in ("here", "beside"):
            (pair.home / f"ran.{mark}").unlink()

    assert lines == [["mine", "theirs"]] * 2


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


def test_flags_behind_a_tool_are_the_tools(pair: Pair) -> None:
    pair.write("build.ninja", CAT + "build b: cat a\n")
    pair.write("a", "1\n")

    theirs, ours = pair.both("-t", "compdb", "-x", "cat")

    assert (ours.code, ours.out.replace(str(pair.windrow), ROOT)) == (0, theirs.out.replace(str(pair.ninja), ROOT)), (
        ours.said
    )


def test_the_build_file_itself_may_be_asked_for(pair: Pair) -> None:
    # As Meson's, the generator writes a file that it also reads, before the build file.
    make = "rule make\n  command = cp list state; cp build.in build.ninja; echo made >> @LOG@\n  generator = 1\n"
    pair.write("build.in", CAT + make + "build build.ninja: make list build.in state\nbuild b: cat a\n")
    pair.write("build.ninja", pair.files["build.in"])
    for path in ("a", "list", "state"):
        pair.write(path, "1\n")
    pair.by_windrow()
    pair.write("list", "2\n")

    made, again = pair.by_windrow("build.ninja"), pair.by_windrow("build.ninja")

    assert (made.code, made.ran) == (0, ("made",)), made.said
    assert (again.code, again.ran, again.out) == (0, (), "ninja: no work to do.\n"), again.said


def test_an_interrupted_build_leaves_nothing_half_made(pair: Pair) -> None:
    fifo = pair.home / "fifo"
    os.mkfifo(fifo)
    rule = f"rule wait\n  command = echo half > $out; echo begun > {fifo}; sleep 60; echo whole >> $out\n"
    pair.write("build.ninja", rule + "build b: wait a\n")
    pair.write("a", "1\n")

    with subprocess.Popen(
        WINDROW, cwd=pair.windrow, env=environment(pair), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert fifo.read_text() == "begun\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert not (pair.windrow / "b").exists()


def environment(pair: Pair) -> dict[str, str]:
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(pair.home / "cache"),
        "XDG_CONFIG_HOME": str(pair.home / "config"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
