"""Programs of command lines, and the line a person repeats a job with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.commands import programs
from shared.model.action import ROOT, Action
from shared.reproduce import describe


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["gcc", "-c"], ["gcc"]),
        ([], []),
        ("gcc -c a.c && ar x; (cd y && ls) | grep 'a;b' > out", ["sh", "gcc", "ar", "cd", "ls", "grep"]),
        ("A=1 B='2 3' python gen.py <x 2>&1 || true", ["sh", "python", "true"]),
        (": && /usr/bin/c++ a.o -o b && :", ["sh", ":", "/usr/bin/c++", ":"]),
        (["sh", "-c", "cat a\nsort b"], ["sh", "cat", "sort"]),
        (["/bin/bash", "-ec", "tr a b"], ["/bin/bash", "tr"]),
        ("> out echo x", ["sh", "echo"]),
        ("echo 'a", ["sh"]),
    ],
)
def test_programs_are_the_first_words(command: list[str] | str, expected: list[str]) -> None:
    assert list(programs(command)) == expected


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert next(programs(text)) == "sh"


WORDS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=12)


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_a_shell_repeats_exactly_what_ran(words: list[str], value: str) -> None:
    show = 'printf "%s\\0" "$GREETING" "$@"; env | grep -c "^[A-Z]*=" >&2'
    action = Action(
        "command", ("sh", "-c", show, "x", *words), (("GREETING", value), ("GONE", None)), (), None, "", (), ()
    )

    done = subprocess.run(
        ["sh", "-c", describe(action)], capture_output=True, check=False, env={"PATH": "/usr/bin:/bin", "X": "1"}
    )

    assert done.stdout.decode().split("\0")[:-1] == [value, *words]


def test_a_command_of_an_imported_build_is_repeated_in_its_folder_and_with_the_tree_s_path(tmp_path: Path) -> None:
    (tmp_path / "out of it").mkdir()
    argv = ("/bin/sh", "-c", f"pwd; echo -I{ROOT}/lib")
    action = Action("command", argv, (), (), None, "", (), (), root=str(tmp_path), cwd="out of it")

    done = subprocess.run(["sh", "-c", describe(action)], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == [f"{tmp_path}/out of it", f"-I{tmp_path}/lib"]
