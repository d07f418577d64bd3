"""What a command's environment holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.model.action import Action
from workers.execute.environment import environment, stays_put


def action(*argv: str, env: tuple[tuple[str, str | None], ...] = ()) -> Action:
    return Action("command", argv, env, (), None, "", (), ())


def test_a_rule_has_the_last_word() -> None:
    env = (("A", "1"), ("PATH", None), ("TMPDIR", "/x"), ("UNSET", None))

    found = environment(action("python3", env=env), path="/bin", tmp=Path("/t"))

    assert found == {"A": "1", "TMPDIR": "/x", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("gcc", "-c", "x.c"), True),
        (("/usr/bin/x86_64-linux-gnu-g++-12", "-c", "x.c"), True),
        (("sh", "-c", "mkdir -p o && gcc -c x.c && ar rc l.a x.o"), True),
        (("sh", "-c", "cd sub && gcc -c x.c"), False),
        (("sh", "-c", "(cd sub; gcc -c x.c)"), False),
        (("sh", "-c", "gcc 'unclosed"), False),
        (("sh", "-c", "gcc $(cd ..; pwd)/x.c"), False),
        (("sh", "-c", "sh build.sh"), False),
        (("make",), False),
        (("sh", "build.sh"), False),
        (("./configure",), False),
    ],
)
def test_only_commands_that_stay_where_they_are_see_a_neutral_directory(argv: tuple[str, ...], expected: bool) -> None:
    assert stays_put(argv) == expected
    assert ("PWD" in environment(action(*argv), path="/bin", tmp=Path("/t"))) == expected
