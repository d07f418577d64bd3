"""What jobs that succeed print is seen by who builds, as compilers' warnings must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.summary import FIRST_LINES, LAST_LINES
from tests.console import Console

COMPLAINT = "a.c:3:5: warning: unused variable 'x' [-Wunused-variable]"
RULES = """
[project]
name = "told"

[[rule]]
name = "cc"
each = "*.c"
command = "cat {in} >&2 && cp {in} {out}"
outputs = ["out/{stem}.o"]
"""


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return project(tmp_path / "tree", tmp_path / "cache", COMPLAINT)


def project(folder: Path, cache: Path, text: str) -> Console:
    folder.mkdir()
    (folder / "windrow.toml").write_text(RULES)
    (folder / "a.c").write_text(text + "\n")
    return Console(folder, cache)


def test_what_a_compiler_warns_of_follows_the_line_of_its_job(console: Console) -> None:
    said = console.run("build")

    assert said.code == 0
    lines = said.err.splitlines()
    at = lines.index(COMPLAINT)
    assert "ok    cc:out/a.o" in lines[at - 1]


def test_quietly_nothing_of_it_is_shown(console: Console) -> None:
    assert COMPLAINT not in console.run("build", "-q").err


def test_a_found_result_is_not_told_again_but_kept(console: Console, tmp_path: Path) -> None:
    console.run("build")
    other = project(tmp_path / "other", tmp_path / "cache", COMPLAINT)

    assert COMPLAINT not in other.run("build", "-v").err
    assert other.run("log", "cc:out/a.o").out == COMPLAINT + "\n"


def test_of_a_long_output_beginning_and_end_are_shown_and_how_to_see_the_rest(tmp_path: Path) -> None:
    told = [f"line {number}" for number in range(FIRST_LINES + LAST_LINES + 100)]
    console = project(tmp_path / "tree", tmp_path / "cache", "\n".join(told))

    lines = console.run("build").err.splitlines()

    assert {told[0], told[FIRST_LINES - 1], told[-1]} <= set(lines)
    assert told[FIRST_LINES + 50] not in lines
    (rest,) = [line for line in lines if "left out" in line]
    assert rest.endswith("windrow log cc:out/a.o")
    assert console.run("log", "cc:out/a.o").out.splitlines() == told


def test_lines_that_begin_with_warning_stay_warnings(tmp_path: Path) -> None:
    console = project(tmp_path / "tree", tmp_path / "cache", "warning: mind the gap\nand the rest")

    lines = console.run("build").err.splitlines()

    assert "warning: mind the gap" in lines
    assert "and the rest" in lines
    assert lines.count("warning: mind the gap") == 1
