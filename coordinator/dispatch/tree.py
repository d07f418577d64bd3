"""RunTree: what every path holds while a build runs."""

from __future__ import annotations

import posixpath
import re
import threading
from collections.abc import Callable, Iterable

import msgspec

from shared.model.action import ROOT, ActionResult, Input, Output
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import Manifest
from shared.model.path import basename
from shared.model.snapshot import Snapshot

# What may be a path in a command.
_WORD = re.compile(r"[^\s'\";,|&<>()=@]+")

Afresh = Callable[[str, Callable[[str], Input | None]], Iterable[Output]]


class RunTree:
    """Sources as scanned, outputs as made in this build, else as the manifest has them.

    afresh: what a job that is done has left besides its outputs, given what was known of a path.
    """

    def __init__(
        self, graph: BuildGraph, snapshot: Snapshot, manifest: Manifest | None, *, afresh: Afresh | None = None
    ) -> None:
        self.graph, self.snapshot, self.manifest = graph, snapshot, manifest
        self.found: dict[str, FileState] = {}  # of the sources, what jobs in the workspace itself left or changed
        self._afresh = afresh
        self.results: dict[str, ActionResult] = {}
        self._made: dict[str, Input] = {}
        self._targets: dict[str, str] = {}
        self._besides: dict[str, str] = {}  # what jobs have made and no recipe is known to make, with the job
        self._named: dict[str, list[str]] | None = None
        self._lock = threading.Lock()

    def find(self, path: str) -> Input | None:
        """The present state of a path, or None."""
        made = self._made.get(path)
        if made is not None:
            return made
        maker = self.graph.producer.get(path)
        if maker is not None:
            # What a job did not make this time is not there, though it was before.
            known = self.manifest.artefacts.get(path) if self.manifest and maker not in self.results else None
            return Input(path, known.hash, known.size, known.mode) if known else None
        source = self.snapshot.sources.get(path)
        return Input(path, source.hash, source.size, source.mode) if source else None

    def take(self, job: str, result: ActionResult) -> bool:
        """Note a job's outputs; whether any differs from what stood there."""
        changed = False
        for output in result.outputs:
            before = self.find(output.path)
            changed |= before is None or (before.hash, before.mode) != (output.hash, output.mode)
            self._put(output)
            if output.path not in self.graph.producer:
                self._besides[output.path] = job
        self.results[job] = result
        for output in self._afresh(job, self.find) if self._afresh is not None else ():
            changed = True
            self._put(output)
            maker = self.graph.producer.get(output.path)
            if maker is None:
                self.found[output.path] = FileState(output.hash, output.size, output.mode)
            elif maker in self.results:
                self.results[maker] = _with(self.results[maker], output)
        return changed

    def now(self) -> Snapshot:
        """The tree as it is, as far as sources go."""
        if not self.found:
            return self.snapshot
        return msgspec.structs.replace(self.snapshot, sources={**self.snapshot.sources, **self.found})

    def _put(self, output: Output) -> None:
        self._note(output.path)
        self._made[output.path] = Input(output.path, output.hash, output.size, output.mode)
        if output.mode == "link":
            self._targets[output.path] = output.target

    def link(self, path: str) -> str | None:
        """What a symlink holds; None for a path that is none."""
        made = self._made.get(path)
        if made is not None:
            return self._targets.get(path) if made.mode == "link" else None
        if path in self.graph.producer:
            known = self.manifest.artefacts.get(path) if self.manifest else None
            return known.target if known is not None and known.mode == "link" else None
        return self.snapshot.links.get(path)

    def made_for(self, job: str) -> list[str]:
        """The paths that are there once everything a job needs has been done, sorted."""
        needed = self.graph.closure(self.graph.dependencies[job])
        found = {path for path, maker in self.graph.producer.items() if maker in needed}
        # What they made besides is known once they have run.
        done = (result for id_ in needed if (result := self.results.get(id_)) is not None)
        return sorted(found.union(output.path for result in done for output in result.outputs))

    def within(self, path: str) -> tuple[str, ...]:
        """What was made in a folder that is an output itself; nothing for any other path."""
        maker = self.graph.producer.get(path)
        if maker is None or self.find(path) is not None:
            return ()
        result, entry = self.results.get(maker), self.manifest.jobs.get(maker) if self.manifest else None
        made = (one.path for one in result.outputs) if result is not None else entry.also if entry is not None else ()
        return tuple(one for one in made if one.startswith(f"{path}/"))

    def besides(self, recipe: Recipe) -> list[str]:
        """What jobs that a recipe needs have made, no recipe is known to make, and its command names."""
        made = dict(self._besides)
        if not made:
            return []
        needed = self.graph.closure(self.graph.dependencies[recipe.id])
        words = set(_WORD.findall(recipe.argv[-1]))
        where = recipe.cwd or "."
        return [
            path
            for path, job in made.items()
            if job in needed and not words.isdisjoint((posixpath.relpath(path, where), f"{ROOT}/{path}"))
        ]

    def names_only(self, names: Iterable[str], paths: set[str]) -> bool:
        """Whether no path that is there, or that a job makes, has one of these base names, but for these paths.

        `*` stands for any name.
        """
        named = self._by_name()
        return all(name != "*" and paths.issuperset(named.get(name, ())) for name in names)

    def named(self, names: Iterable[str]) -> list[str]:
        """The paths that are there now with one of these base names, wherever they lie."""
        named = self._by_name()
        return [path for name in names for path in named.get(name, ()) if self.find(path) is not None]

    def _by_name(self) -> dict[str, list[str]]:
        """The paths that are there, or that a job makes, by base name."""
        with self._lock:
            if self._named is None:
                self._named = {}
                known = self.manifest.artefacts if self.manifest else ()
                for path in dict.fromkeys((*self.snapshot.sources, *self.graph.producer, *known, *self._made)):
                    self._named.setdefault(basename(path), []).append(path)
            return self._named

    def _note(self, path: str) -> None:
        with self._lock:
            if self._named is not None and path not in self.graph.producer:
                # What is not declared is known once it is made.
                self._named[basename(path)] = [*self._named.get(basename(path), ()), path]

    def count_made(self) -> int:
        """How many paths jobs of this build have made."""
        return len(self._made)

    def made_since(self, count: int) -> list[str]:
        """The paths that were made after so many."""
        return list(self._made)[count:]

    def all_paths(self) -> list[str]:
        """Every path that there is now, sources first."""
        known = self.manifest.artefacts if self.manifest else {}
        return [*self.snapshot.sources, *self._made, *(path for path in known if path not in self._made)]

    def reads(self, job: str, maker: str) -> bool:
        """Whether a job as last run reads what another makes; True where that cannot be told."""
        recipe = self.graph.recipes[job]
        entry = self.manifest.jobs.get(job) if self.manifest else None
        if entry is None or not (recipe.tells or recipe.loose):
            return True
        used = {*recipe.inputs, *(entry.trace.used if entry.trace else ()), *entry.unread}
        # What a command in the workspace left there may be known by nobody else.
        return not (used.isdisjoint(self.graph.made_by(maker)) and used.isdisjoint(self.found))


def _with(result: ActionResult, output: Output) -> ActionResult:
    """A result with an output as it is now: a later step made it."""
    others = (one for one in result.outputs if one.path != output.path)
    return msgspec.structs.replace(result, outputs=(*others, output))
