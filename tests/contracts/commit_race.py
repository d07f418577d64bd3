"""Commits that compete, on any RefStore; a test module gives `refs` (a function that opens the same store again)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from coordinator.commit.publish import Base, load, publish
from coordinator.lock.lease import Holder, me
from shared import hashing
from shared.errors import Conflict, LockLost
from shared.model.file import FileState
from shared.model.manifest import Artefact, JobEntry, Manifest
from shared.storage.refs import RefStore

OpenRefs = Callable[[], RefStore]


class Held:
    """A lease as a test wants it."""

    def __init__(self, fence: int, *, lost: bool = False) -> None:
        self.fence = fence
        self.is_lost = lost

    @property
    def holder(self) -> Holder:
        """This process."""
        return msgspec.structs.replace(me("b"), fence=self.fence)

    def lost(self) -> bool:
        """As told."""
        return self.is_lost

    def release(self) -> bool:
        """Nothing is held."""
        return True


def draft(build: str, text: str = "", *, project: str = "p") -> Manifest:
    """A manifest that differs by its build and by what it made."""
    made = hashing.of_bytes(f"{build}{text}".encode())
    return Manifest(
        project=project,
        branch="main",
        revision=0,
        sources={"src/a.c": FileState(hashing.of_bytes(b"a"), 1)},
        jobs={"cc:a.o": JobEntry("cc", hashing.of_bytes(build.encode()), ("cc",), ("a.o",))},
        artefacts={"a.o": Artefact(made, 5, "cc:a.o")},
        build=build,
        created_at="2026-11-21T00:00:00.000Z",
        tool="windrow 0.1.0",
    )


def race(open_refs: OpenRefs, *, contenders: int = 16, rounds: int = 100, project: str = "p") -> None:
    """In each round of many commits from one base exactly one wins, and the pointer names its whole manifest."""
    stores = [open_refs() for _ in range(contenders)]
    barrier = threading.Barrier(contenders)

    def commit(number: int, turn: int) -> Base | None:
        base = load(stores[number], project, "main")
        barrier.wait(60)
        try:
            return publish(stores[number], base, draft(f"b-{turn}-{number}", project=project), Held(turn))
        except (Conflict, LockLost):
            return None

    with ThreadPoolExecutor(contenders) as pool:
        for turn in range(1, rounds + 1):
            done = list(pool.map(commit, range(contenders), [turn] * contenders))
            winners = [base for base in done if base is not None]
            assert len(winners) == 1, f"round {turn}: {len(winners)} commits won"
            now = load(open_refs(), project, "main")
            assert not now.problems
            assert now.pointer == winners[0].pointer
            assert now.manifest == winners[0].manifest
