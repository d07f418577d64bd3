"""Which files of a folder hydrate has put there, and what they may hold; kept in the workspace, never shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from shared import atomic

SCHEMA = 1


class Placed(msgspec.Struct, frozen=True):
    """Path → digests that hydrate has given it: of the last run, and of one that did not come to its end."""

    files: dict[str, tuple[str, ...]] = {}
    schema: int = SCHEMA


def read(path: Path) -> Placed | None:
    """What is known; None when nothing is, or it cannot be read: then files nobody asked for are left alone."""
    try:
        placed = msgspec.msgpack.decode(path.read_bytes(), type=Placed)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return placed if placed.schema == SCHEMA else None


def intend(path: Path, before: Mapping[str, Iterable[str]], wanted: Mapping[str, str]) -> None:
    """Note, before anything is written, what files may hold from now on. LocalError."""
    files = {name: set(hashes) for name, hashes in before.items()}
    for name, hash_ in wanted.items():
        files.setdefault(name, set()).add(hash_)
    _write(path, {name: tuple(sorted(hashes)) for name, hashes in files.items()})


def settle(path: Path, there: Mapping[str, str], doubtful: Mapping[str, Iterable[str]]) -> None:
    """Note what was reached: files that hold just this, and others that hold one of these. LocalError."""
    _write(path, {**{name: tuple(hashes) for name, hashes in doubtful.items()}, **{n: (h,) for n, h in there.items()}})


def _write(path: Path, files: dict[str, tuple[str, ...]]) -> None:
    data = msgspec.msgpack.encode(Placed(dict(sorted(files.items()))))
    atomic.write_atomic(path, data, durable=False)
