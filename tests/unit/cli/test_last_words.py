"""What is said when the place that the result goes to takes no more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import Console

PROJECT = """\
[project]
name = "told"

[[rule]]
name = "copy"
each = "*.txt"
command = "cp {in} {out}"
outputs = ["out/{stem}"]
"""
INTO_NOTHING = ("sh", "-c", 'exec "$@" > /dev/full', "sh")
EDGES = 40


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "windrow.toml").write_text(PROJECT)
    for number in range(EDGES):
        (tree / f"{number}.txt").write_text(f"{number}\n")
    edges = "".join(f"build n{number}: cp {number}.txt\n" for number in range(EDGES))
    (tree / "build.ninja").write_text(f"rule cp\n  command = cp $in $out\n{edges}")
    return Console(tree, tmp_path / "cache", TMPDIR=str(tmp_path))


@pytest.mark.parametrize("words", [("status",), ("graph", "--json"), ("build", "--json"), ("ninja",)], ids=" ".join)
def test_a_result_that_a_full_disk_does_not_take_is_an_error_and_no_bug(shell: Console, words: tuple[str, ...]) -> None:
    said = shell.run(*words, before=INTO_NOTHING)

    assert said.code == 36, said.err
    assert "error[W3601]: no space left while writing the result to /dev/full\n" in said.err
    assert "Traceback" not in said.err
    assert list(shell.folder.parent.glob("windrow-crash*")) == []


@pytest.mark.parametrize("words", [("build",), ("ninja",)], ids=" ".join)
def test_that_there_is_nothing_to_do_is_a_result_too(shell: Console, words: tuple[str, ...]) -> None:
    """Also where it is told before anything is loaded."""
    for _ in range(2):
        assert shell.run(*words).code == 0

    said = shell.run(*words, before=INTO_NOTHING)

    assert said.code == 36
    assert said.err.startswith("error[W3601]: no space left while writing the result to /dev/full\n")


def test_a_build_is_not_given_up_because_its_progress_cannot_be_told(shell: Console) -> None:
    said = shell.run("build", before=("sh", "-c", 'exec "$@" 2> /dev/full', "sh"))

    assert said.code == 0
    assert len(list((shell.folder / "out").iterdir())) == EDGES


def test_ninjas_words_may_go_unread(shell: Console) -> None:
    """As in `cmake --build build | head -1`: all is made, and the exit code tells."""
    with shell.start("ninja") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        code = process.wait(60)

    assert (code, err) == (0, "")
    assert len(list(shell.folder.glob("n*"))) == EDGES


def test_a_report_that_cannot_be_written_names_its_place(shell: Console) -> None:
    said = shell.run("ninja", "--report", "nowhere/report.json")

    assert said.code == 36
    assert said.err.startswith(f"error[W3600]: No such file or directory while writing {shell.folder}/nowhere/report.json")
