"""What a build says in a log, a pipe or a dumb terminal, word for word; names and times are masked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import render
from tests.console import Console, Said

GOLDEN = Path(__file__).parents[2] / "golden"
RULES = """\
[project]
name = "lines"

[[rule]]
name = "strip"
inputs = ["in.txt"]
command = "sed /^#/d in.txt > {out}; grep -q boom in.txt && { echo it went off >&2; exit 3; } || true"
outputs = ["mid.txt"]

[[rule]]
name = "shout"
inputs = ["mid.txt"]
command = "tr a-z A-Z < mid.txt > {out}"
outputs = ["out/final.txt"]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    """A chain of two jobs."""
    (tmp_path / "tree").mkdir()
    text = RULES.replace("{ echo", "{{ echo").replace("exit 3; }", "exit 3; }}")
    (tmp_path / "tree/windrow.toml").write_text(text)
    (tmp_path / "tree/in.txt").write_text("# one\nalpha\n")
    return Console(tmp_path / "tree", tmp_path / "cache")


def masked(said: Said) -> str:
    """Both streams, without what is another each time."""
    text = f"{said.out}--- stderr, exit {said.code}\n{said.err}"
    text = re.sub(r"(plan|build) [0-9a-f]{6}", r"\1 BUILD_", text)
    text = re.sub(r"\d+\.\d+ ?s", "TIME", text)
    text = re.sub(r"\] +TIME", "] TIME", text)
    text = re.sub(r"sha256:[0-9a-f]{12}", "DIGEST", text)
    return re.sub(r" · expected TIME|, saved about TIME of compute", "", text)


SCENES: dict[str, list[list[str]]] = {
    "first": [["build"]],
    "nothing": [["build"], ["build"]],
    "verbose": [["build", "-v"]],
    "quiet": [["build", "-q"]],
    "nothing-quiet": [["build"], ["build", "-q"]],
    "diff": [["build", "--diff"]],
    "full": [["build"], ["build", "--full", "-v"]],
    "comment-edited": [["build"], ["edit", "# two\nalpha\n"], ["build", "-v"]],
    "failed": [["edit", "boom\n"], ["build"]],
    "failed-keep-going-verbose": [["edit", "boom\n"], ["build", "-k", "-v"]],
    "failed-quiet": [["edit", "boom\n"], ["build", "-q"]],
    "plan": [["plan"]],
    "why": [["build"], ["edit", "beta\n"], ["why", "out/final.txt"]],
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_build_says_word_for_word(shell: Console, scene: str) -> None:
    said = Said(0, "", "")
    for words in SCENES[scene]:
        if words[0] == "edit":
            (shell.folder / "in.txt").write_text(words[1])
        else:
            said = shell.run(*words)

    assert masked(said) == (GOLDEN / f"said-{scene}.txt").read_text()
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize(
    ("count", "noun", "told"),
    [(1, "branch", "1 branch"), (3, "branch", "3 branches"), (0, "file", "0 files"), (1200, "job", "1,200 jobs")],
)
def test_nouns_have_their_plurals(count: int, noun: str, told: str) -> None:
    assert render.plural(count, noun) == told
