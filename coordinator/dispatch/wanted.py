"""Matches what a failed command asked for against the files the tree has."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 64


def match_wanted(wanted: Iterable[str], sources: Iterable[str]) -> tuple[str, ...]:
    """The sources a command may have meant, sorted: those of that very path, or that end with it.

    `gen.h` may mean `include/gen.h`; a name that fits more than 64 files says nothing and matches none.
    """
    asked = {name.removeprefix("./").lstrip("/") for name in wanted} - {""}
    by_base: dict[str, list[str]] = {}
    for name in asked:
        by_base.setdefault(name.rpartition("/")[2], []).append(name)
    found: dict[str, list[str]] = {}
    for path in sources:
        for name in by_base.get(path.rpartition("/")[2], ()):
            if path == name or path.endswith("/" + name):
                found.setdefault(name, []).append(path)
    return tuple(sorted({path for paths in found.values() if len(paths) <= MOST for path in paths}))
