"""What `windrow status` picks out of a failed job's output."""

from __future__ import annotations

import pytest

from cli.history import _telling


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("src/a.c: In function 'f':\nsrc/a.c:8:1: error: expected ';'\n    8 | int x(\n      | ^~~\n", "src/a.c:8:1: error: expected ';'"),
        ('Traceback (most recent call last):\n  File "a.py"\nValueError: no\n', "ValueError: no"),
        (
            ('one\nTraceback (most recent call last):\n  File "a.py"\n    raise KeyError("k")\n\nDuring handling:\n\n'
            'Traceback (most recent call last):\n  File "a.py"\n    raise ValueError("x")\nValueError: x\n'),
            "ValueError: x",
        ),
        ("one\n  two  \n\n", "two"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_line_that_tells_most_of_a_failure(log: str, line: str) -> None:
    assert _telling(log) == line
