"""windrow log: all that a job printed, where the terminal got a part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import summary
from tests.scenarios.real_workspace import RealWorkspace

RULES = """\
[project]
name = "loud"

[[rule]]
name = "count"
command = "seq {last}; echo of stderr >&2; test -e {{in}} && cp {{in}} {{out}} && grep -q good {{out}}"
inputs = ["in.txt"]
outputs = ["out.txt"]
"""
JOB = "count:out.txt"


class Loud(RealWorkspace):
    def __init__(self, root: Path, *, last: int = 20_000) -> None:
        super().__init__(root)
        self.write("windrow.toml", RULES.format(last=last))
        self.write("in.txt", "bad\n")


@pytest.fixture
def loud(tmp_path: Path) -> Loud:
    return Loud(tmp_path / "tree")


def test_a_long_output_is_shortened_with_the_command_that_shows_all_of_it(loud: Loud) -> None:
    said = loud.console.run("build")
    shown = [line.strip() for line in said.err.splitlines()]
    (told,) = [line for line in shown if "left out" in line]
    words = told.partition("all of it: windrow ")[2].split()
    whole = loud.console.run(*words)

    assert said.code == 1
    assert "of stderr" in shown
    assert "20000" in shown
    assert "50" in shown
    assert "51" not in shown
    assert len(said.err) < 4_000
    assert whole.out.splitlines() == [*map(str, range(1, 20_001)), "of stderr"]


def test_a_short_output_is_shown_whole(tmp_path: Path) -> None:
    loud = Loud(tmp_path / "tree", last=190)

    said = loud.console.run("build")

    assert "left out" not in said.err
    assert [f"   {n}" in said.err.splitlines() for n in (1, 100, 190)] == [True] * 3
    assert loud.console.run("log").out.splitlines()[1:] == [*map(str, range(1, 191)), "of stderr"]


def test_json_and_the_record_of_builds_keep_what_they_had(loud: Loud) -> None:
    report = loud.console.run("build", "--json").json()
    logged = loud.console.run("log", JOB, "--json").json()

    (failure,) = report["failures"]
    (one,) = logged["logs"]
    assert failure["log"] == one["log"]
    assert (one["build"], one["exit_code"], one["whole"]) == (report["build"], 1, True)


def test_the_log_of_a_job_that_was_mended_is_that_of_its_result(loud: Loud) -> None:
    failed = loud.console.run("build", "--json").json()["build"]
    loud.write("in.txt", "good\n")
    assert loud.console.run("build").code == 0

    now = loud.console.run("log", JOB, "--json").json()["logs"][0]
    then = loud.console.run("log", JOB, "--build", failed, "--json").json()["logs"][0]

    assert (now["revision"], now["build"], now["exit_code"], now["whole"]) == ("rev-0001", "", 0, True)
    assert now["log"].splitlines() == [*map(str, range(1, 20_001)), "of stderr"]
    assert (then["build"], then["exit_code"]) == (failed, 1)


def test_what_was_collected_since_is_told_by_its_end(loud: Loud) -> None:
    loud.console.run("build")
    for blob in (loud.cache / "store/blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()

    said = loud.console.run("log", JOB)

    assert "of stderr" in said.out
    assert f"warning: {JOB}: not all of what it printed is kept" in said.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["log", "count:out.txd"], 4, f"did you mean {JOB}?"),
        (["log", JOB, "--build", "abcdef"], 2, "no build abcdef is kept here"),
    ],
)
def test_what_is_not_there_is_said(loud: Loud, words: list[str], code: int, told: str) -> None:
    loud.console.run("build")

    said = loud.console.run(*words)

    assert (said.code, told in said.err) == (code, True), said.err


def test_no_failure_is_no_log(tmp_path: Path) -> None:
    loud = Loud(tmp_path / "tree", last=3)
    loud.write("in.txt", "good\n")
    loud.console.run("build")

    said = loud.console.run("log")

    assert (said.code, said.out) == (0, "")
    assert "No job failed in the last build" in said.err


def test_a_line_without_end_is_cut_to_what_a_terminal_can_take() -> None:
    lines = list(summary.shortened("x" * (8 << 20), "windrow log j"))

    assert sum(map(len, lines)) < 65 << 10
    assert "8.3 MB left out" in lines[1] or "left out; all of it: windrow log j" in lines[1]


def test_a_job_is_found_by_what_it_makes_whether_it_failed_or_not(loud: Loud) -> None:
    path = JOB.partition(":")[2]
    loud.console.run("build")
    failed = loud.console.run("log", path, "--json").json()["logs"][0]
    loud.write("in.txt", "good\n")
    loud.console.run("build")
    well = loud.console.run("log", path, "--json").json()["logs"][0]

    assert (failed["job"], failed["exit_code"]) == (JOB, 1)
    assert (well["job"], well["revision"]) == (JOB, "rev-0001")


def test_the_log_of_each_build_that_failed_is_kept(loud: Loud) -> None:
    builds = [loud.console.run("build", "--json").json()["build"] for _ in range(3)]
    loud.write("in.txt", "good\n")
    loud.console.run("build")

    listed = [one["build"] for one in loud.console.run("builds", "--json").json()["builds"]]

    assert listed[1:] == builds[::-1]
    for build in builds:
        assert loud.console.run("log", "--build", build).out.startswith(f"FAILED  {JOB}  (exit 1, build {build})")
    unknown = loud.console.run("log", "--build", "nope")
    assert (unknown.code, "no build nope is kept here" in unknown.err) == (2, True)
