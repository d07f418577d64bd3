"""How ninja spells a path: one canonical name for each, and quoted for a shell."""

from __future__ import annotations

import re

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
