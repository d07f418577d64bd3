"""Witness: examines every revision that a pointer ever names while something goes on."""

from __future__ import annotations

import threading

import msgspec

from coordinator import refnames
from coordinator.commit.base import load as load_base
from shared.errors import BlobMissing, FarmError
from shared.model.manifest import Pointer
from shared.storage.compose import Stores

PATIENCE = 60.0


class Witness:
    """Reads the pointer over and over, and examines each revision it ever names."""

    def __init__(self, stores: Stores, name: str) -> None:
        self._stores, self._name = stores, name
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self.problems: list[str] = []
        self.seen: list[int] = []
        self._last: Pointer | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time."""
        self._over.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(0.01)
            try:
                self._look()
            except FarmError:
                continue  # the store is away: nobody can read a wrong revision from it

    def _look(self) -> None:
        pointer = current(self._stores, self._name)
        if pointer == self._last:
            return
        before = self._last.revision if self._last else 0
        if pointer is None or pointer.revision <= before:
            self.problems.append(f"the pointer went from {before} to {pointer}")
            return
        self.problems += faults(self._stores, self._name)
        self._last = pointer
        self.seen.append(pointer.revision)


def current(stores: Stores, name: str) -> Pointer | None:
    """The pointer of a project; whatever cannot be read is an error of the test's subject."""
    record = stores.refs.read(refnames.pointer(name, "main"))
    return msgspec.json.decode(record.data, type=Pointer) if record else None


def faults(stores: Stores, name: str) -> list[str]:
    """What is wrong with the current revision: its manifest, or any blob it names."""
    base = load_base(stores.refs, name, "main")
    if base.pointer is None:
        return list(base.problems)
    if base.manifest is None:
        return [f"revision {base.pointer.revision} has no manifest", *base.problems]
    problems = []
    for path, artefact in base.manifest.artefacts.items():
        try:
            stores.far.get(artefact.hash)
        except BlobMissing as error:
            problems.append(f"{path} of revision {base.pointer.revision}: {error.what}")
    return problems
