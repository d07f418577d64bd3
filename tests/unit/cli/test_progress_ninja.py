"""Progress in ninja's words, on a pipe and on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import termios
from collections.abc import Mapping

import msgspec
import pytest

from cli.ninja_options import Fatal
from cli.progress_ninja import NinjaProgress, elided
from coordinator.progress import Failure
from shared.model.changes import ChangeSet
from shared.model.graph import BuildGraph, Recipe
from shared.model.plan import NeverBuilt, Plan, PlannedJob

GRAPH = BuildGraph(
    [
        Recipe("cc:b/a.o", "cc", ("/bin/sh", "-c", "cc -c a.c"), ("b/a.o",), cwd="b", description="Building a.o"),
        Recipe("cat:b/out", "cat", ("/bin/sh", "-c", "cat \0/in > out"), ("b/out", "b/log"), root="/src", cwd="b"),
    ]
)
JOBS = {id_: PlannedJob(id_, "r", 0, (NeverBuilt(),)) for id_ in GRAPH.recipes}
PLAN = Plan(0, "", (tuple(JOBS),), JOBS, {}, ChangeSet())


class Terminal(io.StringIO):
    """What a terminal of 20 columns is sent."""

    def __init__(self) -> None:
        super().__init__()
        self._ends = pty.openpty()
        termios.tcsetwinsize(self._ends[1], (24, 20))

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._ends[1]

    def close(self) -> None:
        for end in self._ends:
            os.close(end)
        super().close()


def progress_of(
    *, environ: Mapping[str, str] | None = None, verbose: bool = False, quiet: bool = False
) -> NinjaProgress:
    progress = NinjaProgress(verbose=verbose, quiet=quiet, environ=environ or {})
    progress.planned(PLAN, GRAPH, build="b", revision=1)
    return progress


def test_an_edge_is_a_line_with_its_description_or_else_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of()
    progress.started("cc:b/a.o", "w")
    progress.finished("cc:b/a.o", "executed", 1.0)
    progress.finished("cat:b/out", "executed", 1.0)

    assert capsys.readouterr().out == "[1/2] Building a.o\n[2/2] cat /src/in > out\n"


def test_what_was_not_run_says_where_it_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of()
    progress.finished("cc:b/a.o", "remote", 1.0)
    progress.finished("cat:b/out", "cut_off", 1.0)

    assert capsys.readouterr().out == "[1/2] Building a.o (remote cache)\n"
    told = [(recipe.outputs, how) for recipe, how in progress.edges()]
    assert told == [(("b/a.o",), "remote"), (("b/out", "b/log"), "cut_off")]


def test_what_turns_out_as_it_was_is_no_line_and_not_of_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of()
    progress.finished("cat:b/out", "cut_off", 1.0)
    progress.finished("cc:b/a.o", "executed", 1.0)
    assert capsys.readouterr().out == "[1/1] Building a.o\n"

    # It may have to run after all, once something else is made anew.
    progress.finished("cat:b/out", "executed", 1.0)
    progress.finished("cat:b/out", "cut_off", 1.0)
    assert capsys.readouterr().out == "[2/2] cat /src/in > out\n[2/2] cat /src/in > out\n"


def test_verbose_shows_commands_and_quiet_shows_what_they_print_only(capsys: pytest.CaptureFixture[str]) -> None:
    progress_of(verbose=True).finished("cc:b/a.o", "executed", 1.0)
    assert capsys.readouterr().out == "[1/2] cc -c a.c\n"

    quiet = progress_of(quiet=True)
    quiet.finished("cc:b/a.o", "executed", 1.0)
    quiet.said("cc:b/a.o", "a.c:1: warning\n")
    assert capsys.readouterr().out == "a.c:1: warning\n"


def test_a_failure_names_outputs_command_and_what_was_printed(capsys: pytest.CaptureFixture[str]) -> None:
    progress_of().failed(Failure("cat:b/out", "cat", 3, "exit code 3", "quoted", "no such thing\n"))

    assert (
        capsys.readouterr().out
        == "[1/2] cat /src/in > out\nFAILED: [code=3] out log \ncat /src/in > out\nno such thing\n"
    )


def test_a_job_that_had_to_be_done_again_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of()
    for _ in range(2):
        progress.finished("cc:b/a.o", "executed", 1.0)

    assert capsys.readouterr().out == "[1/2] Building a.o\n[1/2] Building a.o\n"


def test_a_job_that_joins_raises_the_total_and_another_pass_counts_anew(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of()
    progress.added("more")
    progress.finished("more", "executed", 1.0)
    progress.planned(PLAN, GRAPH, build="b", revision=1)
    progress.finished("cc:b/a.o", "executed", 1.0)

    assert capsys.readouterr().out == "[1/3] more\n[1/2] Building a.o\n"


def test_ninja_status_is_filled_in(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of(environ={"NINJA_STATUS": "%s %t %r %u %f %p %% |"})
    progress.started("cat:b/out", "w")
    progress.finished("cc:b/a.o", "executed", 1.0)

    assert capsys.readouterr().out == "2 2 2 0 1  50% % |Building a.o\n"


def test_a_placeholder_that_is_none_is_refused() -> None:
    with pytest.raises(Fatal, match="unknown placeholder '%z' in \\$NINJA_STATUS"):
        progress_of(environ={"NINJA_STATUS": "[%f %z] "})


def test_what_was_made_before_the_rest_could_be_planned_counts_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    progress = NinjaProgress(environ={})
    for job in PLAN.jobs:
        progress.planned(msgspec.structs.replace(PLAN, jobs={job: PLAN.jobs[job]}), GRAPH, build="b", revision=1)
        progress.finished(job, "executed", 1.0)

    assert [line[:5] for line in capsys.readouterr().out.splitlines()] == ["[1/1]", "[2/2]"]


@pytest.mark.parametrize(("environ", "shown"), [({}, "red\n\n"), ({"CLICOLOR_FORCE": "1"}, "\x1b[31mred\x1b[0m\n\n")])
def test_colours_are_for_those_who_can_show_them(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], shown: str
) -> None:
    progress_of(environ=environ).said("cc:b/a.o", "\x1b[31mred\x1b[0m\n\n")

    assert capsys.readouterr().out == shown


def test_times_and_rates_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of(environ={"NINJA_STATUS": "%o %c %e %w %E %W|"})
    progress.finished("cc:b/a.o", "executed", 1.0)

    assert re.fullmatch(
        r"[\d.]+ [\d.]+ \d+\.\d{3} \d\d:\d\d [\d.]+ \d\d:\d\d\|Building a\.o\n", capsys.readouterr().out
    )


def terminal_of(patch: pytest.MonkeyPatch) -> Terminal:
    """To be had within a test: pytest puts streams of its own in place before each."""
    terminal = Terminal()
    patch.setattr(sys, "stdout", terminal)
    patch.setenv("COLUMNS", "7")  # what ninja does not look at
    return terminal


LONG = "[2/5] D c \x1b[32mgreen and long 12345678901234567890123456789012345678901234567890abcdefghij\x1b[0m"


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "[2/5] D c \x1b[32mgreen and long 1234567890123...23456789012345678901234567890abcdefghij\x1b[0m"),
        (30, "[2/5] D c \x1b[32mgre...7890abcdefghij\x1b[0m"),
        (8, "[2...\x1b[32mhij\x1b[0m"),
        (2, "..\x1b[32m\x1b[0m"),
        (85, LONG),
        (0, LONG),
    ],
)
def test_the_middle_of_a_long_line_is_left_out_as_ninja_does(width: int, shown: str) -> None:
    assert elided(LONG, width) == shown


def test_on_a_terminal_one_line_is_written_over_until_something_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    progress = progress_of(environ={"TERM": "xterm"})
    progress.started("cc:b/a.o", "w")
    progress.said("cc:b/a.o", "warning")
    progress.finished("cat:b/out", "executed", 1.0)
    progress.close()

    shown = terminal.getvalue()
    assert shown == "\r[0/2] Building a.o\x1b[K\nwarning\n\r[1/2] ca.../in > out\x1b[K\n"
    assert all(len(line) <= 20 for line in re.split(r"\r|\x1b\[K|\n", shown))


def test_whole_commands_are_shown_once_and_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    progress = progress_of(environ={"TERM": "xterm"}, verbose=True)
    progress.started("cat:b/out", "w")
    progress.finished("cat:b/out", "executed", 1.0)
    progress.failed(Failure("cc:b/a.o", "cc", 3, "exit code 3", "cc", "\x1b[31mred\x1b[0m"))

    assert terminal.getvalue().splitlines() == [
        "[1/2] cat /src/in > out",
        "[2/2] cc -c a.c",
        "\x1b[31mFAILED: [code=3] \x1b[0ma.o ",
        "cc -c a.c",
        "\x1b[31mred\x1b[0m",
    ]


def test_what_is_wrong_is_told_though_the_command_printed_something(capsys: pytest.CaptureFixture[str]) -> None:
    progress_of().failed(Failure("cc:b/a.o", "cc", 0, "expected ':' in depfile", "cc", "a warning"))

    assert capsys.readouterr().out.splitlines()[-2:] == ["a warning", "expected ':' in depfile"]


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    progress_of(environ={"TERM": "dumb"}).finished("cc:b/a.o", "executed", 1.0)

    assert terminal.getvalue() == "[1/2] Building a.o\n"


def test_a_warning_is_not_for_stdout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = terminal_of(monkeypatch)
    progress = progress_of(environ={"TERM": "xterm"})
    progress.started("cc:b/a.o", "w")

    progress.warned("odd")

    assert "odd" not in terminal.getvalue()
    assert "windrow: odd" in capsys.readouterr().err
