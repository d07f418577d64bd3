"""What ninja's manual says of commands that run: failures, pools, console, shell; of both."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.ninja_behaviours.comparison import CAT, quiet, same
from tests.scenarios.ninja_pair import NINJA, Pair

WINDROW = (sys.executable, "-c", "import windrow; windrow.ninja()")
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


def test_an_interrupted_build_reports_what_had_ended(pair: Pair) -> None:
    fifo = pair.home / "fifo"
    os.mkfifo(fifo)
    rules = f"rule copy\n  command = cp $in $out\nrule wait\n  command = echo begun > {fifo}; sleep 60\n"
    pair.write("build.ninja", rules + "build b: copy a\nbuild c: wait b\n")
    pair.write("a", "1\n")
    report = pair.home / "report.json"

    with subprocess.Popen(
        [*WINDROW, "--report", str(report)], cwd=pair.windrow, env=environment(pair), stdout=subprocess.PIPE
    ) as process:
        assert fifo.read_text() == "begun\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    told = json.loads(report.read_text())
    assert (process.returncode, told["status"]) == (130, "interrupted")
    assert [(edge["outputs"], edge["how"]) for edge in told["edges"]] == [(["b"], "executed")]


def environment(pair: Pair) -> dict[str, str]:
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(pair.home / "cache"),
        "XDG_CONFIG_HOME": str(pair.home / "config"),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
