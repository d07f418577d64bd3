"""What `windrow affected` says where there is little to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import Console

RULES = """\
[project]
name = "copies"

[[rule]]
name = "copy"
inputs = ["in.txt"]
command = "cp in.txt {out}"
outputs = ["out.txt"]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    """One job, built."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/windrow.toml").write_text(RULES)
    (tmp_path / "tree/in.txt").write_text("one\n")
    made = Console(tmp_path / "tree", tmp_path / "cache")
    assert made.run("build").code == 0
    return made


def affected(shell: Console, *words: str) -> tuple[int, str, str]:
    said = shell.run("affected", "--since", "rev-0001", *words)
    return said.code, said.out, said.err


def test_it_says_that_nothing_differs(shell: Console) -> None:
    assert affected(shell) == (0, "nothing is affected: nothing differs since rev-0001\n", "")


def test_it_says_that_no_job_reads_what_differs(shell: Console) -> None:
    (shell.folder / "notes.txt").write_text("new\n")

    assert affected(shell) == (
        0,
        "added     notes.txt\nnothing is affected: no job reads what differs since rev-0001\n",
        "",
    )


def test_what_is_affected_is_told_alone(shell: Console) -> None:
    (shell.folder / "in.txt").write_text("two\n")

    _, out, _ = affected(shell)

    assert [line[:23] for line in out.splitlines()] == ["modified  in.txt", "job       copy:out.txt "]


def test_paths_stay_paths_and_that_there_are_none_is_told_beside(shell: Console) -> None:
    assert affected(shell, "--paths") == (0, "", "no test file is affected by what differs since rev-0001\n")


def test_json_stays_as_it_is(shell: Console) -> None:
    said = shell.run("affected", "--since", "rev-0001", "--json")

    assert (said.err, said.json()["jobs"]) == ("", [])
