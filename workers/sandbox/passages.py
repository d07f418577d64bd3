"""Folders a command passes through on the way to others: `-Isrc/../include` is nowhere without a folder `src`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PIECE = re.compile(r"[^\s'\"=:;,|&<>()`$\\]+")
_OPTION = re.compile(r"-(?:isystem|iquote|idirafter|I|L|F|B)")


def passages(argv: Iterable[str]) -> set[str]:
    """The folders of the tree that words of a command leave by `..`; too many do no harm, they are empty."""
    return {folder for word in argv if "/.." in word for piece in _PIECE.findall(word) for folder in _left(piece)}


def _left(piece: str) -> Iterator[str]:
    path = _OPTION.sub("", piece, count=1)
    if "/.." not in path or path.startswith("/"):
        return
    trail: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not trail:
                return
            yield "/".join(trail)
            trail.pop()
        elif part not in ("", "."):
            trail.append(part)
