"""How a path is spelt: one canonical name for each, quoted for a shell, and many in one string. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_+\-./]*\Z")


def canonical(path: str) -> str:
    """A path without `.`, `//` and `x/..`; `..` at its beginning stays, a trailing slash goes."""
    if "//" not in path and "./" not in path and path[-1:] not in {".", "/"}:
        return path
    rooted = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part in {"", "."}:
            continue
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        else:
            kept.append(part)
    return ("/" if rooted else "") + "/".join(kept) or "."


def quoted(path: str) -> str:
    """A path as one word of a shell."""
    if _PLAIN.match(path):
        return path
    return "'" + path.replace("'", "'\\''") + "'"


def packed(paths: Iterable[str]) -> str:
    """Paths as one string: a space between two, or a newline before each where one holds a space."""
    paths = list(paths)
    text = " ".join(paths)
    return text if text.count(" ") <= len(paths) - 1 else "".join(f"\n{path}" for path in paths)


def unpacked(text: str) -> tuple[str, ...]:
    """The paths of a packed string."""
    if not text:
        return ()
    return tuple(text[1:].split("\n") if text[0] == "\n" else text.split(" "))
