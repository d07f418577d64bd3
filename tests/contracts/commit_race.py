"""Commits that compete, on any RefStore; a test module gives `refs` (a function that opens the same store again)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from coordinator.commit.publish import Base, load, publish
from coordinator.lock.lease import Holder, me
from shared import hashing
from shared.errors import Conflict, LockLost
from shared.model.file import FileState
from shared.model.manifest import Artefact, JobEntry, Manifest
from shared.storage.refs import RefStore

NOW = "2026-11-21T00:00:00.000Z"
OpenRefs = Callable[[], RefStore]


class Held:
    """A lease as a test wants it."""

    def __init__(self, fence: int, *, build: str = "b", lost: bool = False) -> None:
        self.fence, self.build, self.is_lost = fence, build, lost

    @property
    def holder(self) -> Holder:
        """This process."""
        return msgspec.structs.replace(me(self.build), fence=self.fence)

    def lost(self, *, ask: bool = False) -> bool:
        """As told."""
        return self.is_lost

    def release(self, *, hurry: bool = False) -> bool:
        """Nothing is held."""
        return True


def draft(build: str) -> Manifest:
    """A manifest that differs by what its build made."""
    made = hashing.of_bytes(build.encode())
    return Manifest(
        project="p",
        branch="main",
        revision=0,
        sources={"src/a.c": FileState(hashing.of_bytes(b"a"), 1)},
        jobs={"cc:a.o": JobEntry("cc", hashing.of_bytes(build.encode()), ("cc",), ("a.o",))},
        artefacts={"a.o": Artefact(made, 5, "cc:a.o")},
        tool="windrow 0.1.0",
    )


def commit(
    refs: RefStore, base: Base, build: str, fence: int, *, lost: bool = False, local: Path | None = None
) -> Base:
    """Publish the draft of a build."""
    return publish(refs, base, draft(build), Held(fence, build=build, lost=lost), now=NOW, local=local)


def race(open_refs: OpenRefs, *, contenders: int = 16, rounds: int = 100, project: str = "p") -> None:
    """In each round of many commits from one base exactly one wins, and the pointer names its whole manifest."""
    stores = [open_refs() for _ in range(contenders)]
    barrier = threading.Barrier(contenders)

    def contend(number: int, turn: int) -> Base | None:
        base = load(stores[number], project, "main")
        barrier.wait(60)
        try:
            return commit(stores[number], base, f"b-{turn}-{number}", turn)
        except (Conflict, LockLost):
            return None

    with ThreadPoolExecutor(contenders) as pool:
        for turn in range(1, rounds + 1):
            done = list(pool.map(contend, range(contenders), [turn] * contenders))
            winners = [base for base in done if base is not None]
            assert len(winners) == 1, f"round {turn}: {len(winners)} commits won"
            now = load(open_refs(), project, "main")
            assert not now.problems
            assert now.pointer == winners[0].pointer
            assert now.manifest == winners[0].manifest
