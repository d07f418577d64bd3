"""The files outside the tree that jobs read, as a manifest keeps them: each distinct set once. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shared import hashing
from shared.model.action import Trace
from shared.model.manifest import JobEntry, Manifest

_DIGITS = 16  # of a set's name; a few thousand sets are told apart by far fewer


class BeyondSets:
    """What the sets of a manifest are; answers are kept, so asking for many jobs costs what the sets cost."""

    def __init__(self, manifest: Manifest | None) -> None:
        self._paths = sorted(manifest.beyond) if manifest else []
        self._sets = manifest.beyond_sets if manifest else {}
        self._known: dict[str, tuple[str, ...]] = {"": ()}

    def paths(self, name: str) -> tuple[str, ...]:
        """The absolute paths of a set, sorted; none for a name that is not known."""
        known = self._known.get(name)
        if known is None:
            numbers, paths = self._sets.get(name, ()), self._paths
            known = self._known[name] = tuple(paths[number] for number in numbers if 0 <= number < len(paths))
        return known

    def trace(self, entry: JobEntry | None) -> Trace | None:
        """The trace of a job, whole."""
        if entry is None or entry.trace is None or not entry.beyond:
            return entry.trace if entry is not None else None
        return msgspec.structs.replace(entry.trace, beyond=self.paths(entry.beyond))


class BeyondTable:
    """Gathers the files and sets of the jobs of a manifest that is being made."""

    def __init__(self, digest: Callable[[str], str]) -> None:
        self._digest = digest
        self._names: dict[tuple[str, ...], str] = {}
        self._held: dict[str, str] = {}

    def name(self, paths: tuple[str, ...]) -> str:
        """What a set is called; it is taken up with what its files hold now."""
        if not paths:
            return ""
        name = self._names.get(paths)
        if name is None:
            name = self._names[paths] = hashing.bare(hashing.of_value(list(paths)))[:_DIGITS]
            for path in paths:
                if path not in self._held:
                    self._held[path] = self._digest(path)
        return name

    def files(self) -> dict[str, str]:
        """Every path of a set with its digest, sorted."""
        return dict(sorted(self._held.items()))

    def sets(self) -> dict[str, tuple[int, ...]]:
        """The sets by name, as numbers of paths."""
        numbers = {path: number for number, path in enumerate(sorted(self._held))}
        return {name: tuple(numbers[path] for path in paths) for paths, name in self._names.items()}
