"""What builds put into the workspace that the revision does not have: whoever finds it has not written it by hand.

A note of one working copy, in its state folder. state_dir: that folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from shared import atomic
from shared.errors import LocalError
from shared.model.manifest import Manifest
from shared.model.path import is_normal

PLACED_FILE = "placed.msgpack"


def placed(state_dir: Path) -> dict[str, str]:
    """Path to digest of what builds put into the workspace and the revision does not have.

    They committed nothing, or there is another revision now.
    """
    try:
        noted = msgspec.msgpack.decode(_file(state_dir).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}
    return {path: hash_ for path, hash_ in noted.items() if is_normal(path)}


def note_placed(state_dir: Path, writes: Iterable[tuple[str, str]]) -> None:
    """Note down what is about to be put into the workspace, before it is known whether it is committed."""
    if noted := dict(writes):
        data = msgspec.msgpack.encode({**placed(state_dir), **noted})
        atomic.write_atomic(_file(state_dir), data, durable=False)


def note_left(state_dir: Path, old: Manifest, new: Manifest | None) -> None:
    """Note down what a revision put into the workspace, now that another is the one to go by, so far as they differ."""
    now = new.artefacts if new else {}
    differing = (
        (path, made.hash)
        for path, made in old.artefacts.items()
        if not made.stored and ((same := now.get(path)) is None or same.hash != made.hash)
    )
    with suppress(LocalError):  # a tree that cannot be written is looked at all the same
        note_placed(state_dir, differing)


def forget_placed(state_dir: Path, but: Mapping[str, str]) -> None:
    """The workspace holds what the revision says, `but` for these, which stay noted."""
    if but:
        atomic.write_atomic(_file(state_dir), msgspec.msgpack.encode(dict(but)), durable=False)
    else:
        _file(state_dir).unlink(missing_ok=True)


def _file(state_dir: Path) -> Path:
    return state_dir / PLACED_FILE
