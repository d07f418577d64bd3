"""`.context/.build-manifest.json`, for people and tools that know it from elsewhere; the truth is the revision.

Format: docs/design/context-rules.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from shared import atomic
from shared.errors import named
from shared.model.graph import BuildGraph
from shared.model.snapshot import Snapshot

VERSION = "1.0"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A source: digest, time in whole seconds, the outputs it ends up in, and the sources it refers to."""

    hash: str
    mtime: int
    compiled_to: tuple[str, ...] = msgspec.field(name="compiledTo")
    references: tuple[str, ...] = ()


class Export(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The file. files: by path below the folder of sources. partial: some sources failed, and are left out."""

    version: str
    last_build: str
    files: dict[str, Entry]
    partial: bool = False


class Unusable(Exception):
    """An export that says nothing; str() says why."""


def read(path: Path) -> Export | None:
    """The export, None if there is none; Unusable for one that is damaged or of another version. LocalError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise named(error, path, "reading") from error
    try:
        head = msgspec.json.decode(data, type=dict)
        if head.get("version") != VERSION:
            raise Unusable(f"its version is {head.get('version')!r}, and this Windrow writes {VERSION!r}")
        return msgspec.json.decode(data, type=Export)
    except msgspec.MsgspecError as error:
        raise Unusable(f"it cannot be read: {error}") from error


def write(path: Path, export: Export) -> None:
    """Replace the file; LocalError."""
    data = msgspec.json.format(msgspec.json.encode(export), indent=2) + b"\n"
    atomic.write_atomic(path, data, durable=False)


def entries(
    graph: BuildGraph,
    snapshot: Snapshot,
    good: Collection[str],
    *,
    home: str,
    modified: Callable[[str], int],
    references: Mapping[str, tuple[str, ...]],
) -> dict[str, Entry]:
    """An entry for each source in `home` that got into an output. good: the jobs whose outputs are as they should be.

    modified: the time of a source in nanoseconds, as it was when it was looked at.
    """
    users, below = graph.dependants(), f"{home}/"
    readers: dict[str, list[str]] = {}
    for id_ in good:
        for path in graph.recipes[id_].inputs:
            if path.startswith(below) and path in snapshot.sources:
                readers.setdefault(path, []).append(id_)
    found: dict[str, Entry] = {}
    for path, ids in sorted(readers.items()):
        outputs = _reached(graph, users, ids, good)
        if outputs:
            named_ = tuple(other.removeprefix(below) for other in references.get(path, ()))
            seconds = modified(path) // 1_000_000_000
            found[path.removeprefix(below)] = Entry(snapshot.sources[path].hash, seconds, outputs, named_)
    return found


def _reached(
    graph: BuildGraph, users: Mapping[str, list[str]], ids: Collection[str], good: Collection[str]
) -> tuple[str, ...]:
    """The outputs in the tree that these jobs end up in."""
    seen, waiting = set(ids), list(ids)
    while waiting:
        for user in users[waiting.pop()]:
            if user in good and user not in seen:
                seen.add(user)
                waiting.append(user)
    return tuple(sorted(path for id_ in seen if not graph.recipes[id_].stored for path in graph.recipes[id_].outputs))
