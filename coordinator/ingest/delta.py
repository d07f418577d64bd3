"""What an ingest would change, and what becomes of that when somebody else committed meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from shared.errors import Conflict, DeletionRefused
from shared.model.file import FileState

Ingested = Mapping[str, FileState]
# Fewer files than this may all go: a book of three lessons is rewritten as a whole now and then.
_FEW = 4
_NAMED = 5


class Delta(msgspec.Struct, frozen=True):
    """Paths that an ingest puts in, replaces, takes out and leaves; each sorted. was: digests before, now: states."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    deleted: tuple[str, ...]
    unchanged: int
    was: dict[str, str]
    now: dict[str, FileState]

    def __bool__(self) -> bool:
        return bool(self.added or self.updated or self.deleted)


def compare(before: Ingested, after: Ingested) -> Delta:
    """The difference of two states. Content alone decides, and whether a file can be executed."""
    updated = tuple(sorted(p for p, state in after.items() if p in before and not state.same_content(before[p])))
    added, deleted = tuple(sorted(after.keys() - before.keys())), tuple(sorted(before.keys() - after.keys()))
    return Delta(
        added=added,
        updated=updated,
        deleted=deleted,
        unchanged=len(after) - len(added) - len(updated),
        was={path: before[path].hash for path in (*updated, *deleted)},
        now={path: after[path] for path in (*added, *updated)},
    )


def guard(before: Ingested, delta: Delta) -> None:
    """DeletionRefused when all, or more than half, of what is there would go: a wrong folder looks like that."""
    gone, there = len(delta.deleted), len(before)
    if there and (gone == there or (gone > _FEW and 2 * gone > there)):
        raise DeletionRefused(
            f"this ingest would take out {gone:,} of {there:,} files",
            why=f"they are not in the source folder any more: {_some(delta.deleted)}",
            fix="if that is meant, say --force; else mend --source-dir",
        )


def rebase(delta: Delta, now: Ingested) -> dict[str, FileState]:
    """The state that comes of a delta on top of what is there by now; Conflict names paths that others changed too."""
    state = dict(now)
    quarrels: list[str] = []
    for path in (*delta.added, *delta.updated, *delta.deleted):
        there, wanted = state.get(path), delta.now.get(path)
        as_expected = (there.hash if there else None) == delta.was.get(path)
        as_wanted = there is None if wanted is None else wanted.same_content(there)
        if not as_expected and not as_wanted:
            quarrels.append(path)
        elif wanted is None:
            state.pop(path, None)
        else:
            state[path] = wanted
    if quarrels:
        raise Conflict(
            "somebody else ingested first; nothing of this ingest was committed",
            at=quarrels[0],
            why=f"both changed {_some(quarrels)}",
            fix="what was uploaded is kept; look at `windrow changes`, then ingest again",
        )
    return dict(sorted(state.items()))


def _some(paths: tuple[str, ...] | list[str]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
