"""The environment a command gets: PATH, a temporary folder, and what its rule sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from shared.commands import first_words, script
from shared.model.action import Action
from shared.model.path import basename

# Programs that never change directory, and put the one they run in into what they write.
_STAYING = re.compile(
    r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|cpp|gfortran|as|ld|ar|ranlib|strip|objcopy)(?:-\d+(?:\.\d+)*)?|"
    r"rm|cp|mv|ln|mkdir|touch|echo|test|true|:"
)
_SUBSTITUTED = re.compile(r"`|\$\(")


def environment(action: Action, *, path: str, tmp: Path, cwd: str = "") -> dict[str, str]:
    """The whole environment; what the action sets or unsets has the last word.

    cwd: where the command of an imported build sees itself, as a shell would tell it.
    """
    env = {"PATH": path, "TMPDIR": str(tmp), "PYTHONDONTWRITEBYTECODE": "1"}
    if action.root:
        env |= {"HOME": str(tmp), "PWD": cwd}
    elif stays_put(action.argv):
        # Compilers note $PWD in debug information: with this one the bytes do not tell which directory it was.
        # A shell that changes directory would get lost with it.
        env["PWD"] = "/proc/self/cwd"  # noqa: S105 - no password
    for name, value in action.env:
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def stays_put(argv: Sequence[str]) -> bool:
    """Whether a command surely keeps its working directory: a compiler, or a plain shell text of such."""
    text = script(argv)
    if text is None:
        return _STAYING.fullmatch(basename(argv[0])) is not None
    words = [basename(word) for word in first_words(text)]
    return bool(words) and not _SUBSTITUTED.search(text) and all(_STAYING.fullmatch(word) for word in words)
