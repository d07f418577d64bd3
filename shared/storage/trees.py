"""Records of ingested states: which kept revision holds a state, and which records nothing stands behind any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from shared import canonical, hashing
from shared.model.file import FileState
from shared.storage.ages import AgedRefs

SCHEMA = "windrow.tree/1"
TREES = "/trees/"


class Tree(msgspec.Struct, frozen=True):
    """Record `trees/<64 hex>.json`: a revision that holds this state."""

    revision: int
    schema: str = SCHEMA


class Spent(NamedTuple):
    """Records to remove, and those to write anew since the revision they name goes, with what they are to hold."""

    gone: list[str]
    anew: dict[str, bytes]


def tree_hash(files: Mapping[str, FileState]) -> str:
    """64 hex digits for a state: of its sorted `path:hex` lines, joined by newline."""
    return hashing.bare(hashing.of_tree((path, state.hash) for path, state in files.items()))


def spent(refs: AgedRefs, ages: Iterable[tuple[str, float]], held: Mapping[str, set[int]], window: float) -> Spent:
    """What becomes of the records among these names; held: the kept revisions that hold a state, by its record's name.

    A record that is younger than the window stays: its revision may have been committed since those were listed.
    """
    gone: list[str] = []
    anew: dict[str, bytes] = {}
    for name, age in ages:
        if TREES not in name:
            continue
        revisions = held.get(name)
        if not revisions:
            if age > window:
                gone.append(name)
        elif _named(refs, name) not in revisions:
            anew[name] = canonical.encode(Tree(max(revisions)))
    return Spent(gone, anew)


def _named(refs: AgedRefs, name: str) -> int | None:
    record = refs.read(name)
    try:
        return None if record is None else msgspec.json.decode(record.data, type=Tree).revision
    except msgspec.MsgspecError:
        return None  # damaged: it is written anew
