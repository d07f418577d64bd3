"""Folders that a command goes to or past, and that hold nothing it is given.

`-Isrc/../include` is nowhere without a folder `src`; `-Ibuild` of a folder that is not there is an error under
`-Werror=missing-include-dirs`.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator

from shared import commands
from shared.model.action import ROOT

_PIECE = re.compile(r"[^\s'\"=:;,|&<>()`$\\]+")
_CHANGE = re.compile(r"\s*cd\s+((?:\\.|'[^']*'|\"[^\"]*\"|[^\s;&|'\"\\])+)")
_OPTION = re.compile(r"-(?:isystem|iquote|idirafter|I|L|F|B)")


def passages(argv: Iterable[str], cwd: str = "") -> set[str]:
    """The folders of the tree that words of a command leave by `..`; too many do no harm, they are empty.

    cwd: the folder of the tree that the command runs in.
    """
    return {folder for word in argv if "/.." in word for piece in _PIECE.findall(word) for folder in _left(piece, cwd)}


def searched(argv: Iterable[str], cwd: str = "") -> set[str]:
    """The folders of the tree that a compiler is told to look for headers in."""
    paths = (_placed(found, cwd) for found in commands.searched(" ".join(argv)))
    return {path for path in paths if path is not None and path != "." and not path.startswith(("..", "/"))}


def entered(text: str, cwd: str) -> set[str]:
    """The folder of the tree that a shell text changes to before all else: it is there, or all would be in vain."""
    found = _CHANGE.match(text)
    path = _placed(shlex.split(found[1])[0], cwd) if found else None
    return {path} if path is not None and path != "." and not path.startswith(("..", "/")) else set()


def _placed(word: str, cwd: str) -> str | None:
    """The path in the tree, normalised, of a word for a folder; None for one elsewhere."""
    if word.startswith(ROOT + "/"):
        return posixpath.normpath(word[len(ROOT) + 1 :])
    return None if word.startswith("/") or word == ROOT else posixpath.normpath(posixpath.join(cwd, word))


def _left(piece: str, cwd: str) -> Iterator[str]:
    path = _OPTION.sub("", piece, count=1)
    if "/.." not in path or path.startswith("/"):
        return
    trail: list[str] = cwd.split("/") if cwd else []
    if path.startswith(ROOT + "/"):
        trail, path = [], path[len(ROOT) + 1 :]
    for part in path.split("/"):
        if part == "..":
            if not trail:
                return
            yield "/".join(trail)
            trail.pop()
        elif part not in ("", "."):
            trail.append(part)
