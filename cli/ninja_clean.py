"""windrow ninja -t clean and -t cleandead: outputs are taken away, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cli import render
from coordinator.imported.build import ImportedBuild
from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.places import outside
from coordinator.importers.ninja.spelling import canonical
from coordinator.project import Project
from shared import hashing
from shared.errors import UsageError, named


class Cleaning:
    """One of them, in ninja's words. Use once. dry: tell what would go. LocalError for what does not let itself go."""

    def __init__(self, project: Project, imported: ImportedBuild, *, dry: bool, verbose: bool) -> None:
        self._project, self._imported, self._manifest = project, imported, imported.manifest
        self._dry, self._verbose = dry, verbose or dry
        self._folder = project.settings.root / imported.ninja.cwd
        self._gone: set[str] = set()
        self._count = 0

    def clean(self, names: Sequence[str], *, generated: bool, rules: bool) -> int:
        """What all edges make (generated: generators too), or rules of these names, or what these targets need."""
        if rules and not names:
            raise UsageError("expected a rule to clean")
        self._imported.load_late()
        return self._framed(lambda: self._chosen(names, rules=rules) if names else self._all(generated=generated))

    def dead(self) -> int:
        """What the last revision made and no edge names any more, unless somebody has written over it."""
        manifest, of = self._project.load_base().manifest, self._imported.places.of
        self._imported.load_late()
        named_now = {
            of(path)
            for edge in self._manifest.edges
            for path in (*edge.all_outputs, *edge.all_inputs, *self._imported.late_outputs(edge))
        }
        made = {path: artefact.hash for path, artefact in manifest.artefacts.items()} if manifest else {}
        # What an edge makes beside its outputs is dead when these are.
        jobs = [*manifest.jobs.values()] if manifest else []
        alive = {path for job in jobs if not named_now.isdisjoint(job.outputs) for path in job.also}

        def remove() -> int:
            for path, hash_ in made.items():
                if path not in named_now and path not in alive and self._holds(path, hash_):
                    self._remove(self._project.settings.root / path, self._shown(path))
            return 0

        return self._framed(remove)

    def _framed(self, remove: Callable[[], int]) -> int:
        render.raw("Cleaning..." + ("\n" if self._verbose else " "))
        code = remove()
        render.out(f"{self._count} files.")
        return code

    def _all(self, *, generated: bool) -> int:
        for edge in self._manifest.edges:
            if not edge.phony and (generated or not self._manifest.generator(edge)):
                self._remove_all(edge)
        return 0

    def _chosen(self, names: Iterable[str], *, rules: bool) -> int:
        code, known = 0, set(self._manifest.rules) if rules else set()
        lookup = Lookup(self._manifest)
        for name in names:
            if rules and name not in known:
                render.err(f"ninja: error: unknown rule '{name}'")
                code = 1
            elif rules:
                self._say(f"Rule {name}")
                for edge in self._manifest.edges:
                    if edge.rule == name:
                        self._remove_all(edge)
            elif not self._target(lookup, name):
                render.err(f"ninja: error: unknown target '{name}'")
                code = 1
        return code

    def _target(self, lookup: Lookup, name: str) -> bool:
        """Take away what a target needs, itself too; whether there is such a target."""
        path = canonical(name) if name else ""
        if path not in lookup.makers and path not in lookup.users and path not in lookup.validated:
            return False
        self._say(f"Target {path}")
        waiting, seen = [path], {path}
        while waiting:
            path = waiting.pop()
            edge = lookup.maker(path)
            if edge is None:
                continue
            if not edge.phony:
                self._output(path)
                self._files_of(edge)
            fresh = [one for one in edge.all_inputs if one not in seen]
            seen.update(fresh)
            waiting += fresh[::-1]
        return True

    def _remove_all(self, edge: Edge) -> None:
        for path in (*edge.all_outputs, *self._imported.late_outputs(edge)):
            self._output(path)
        self._files_of(edge)

    def _files_of(self, edge: Edge) -> None:
        """The depfile and the response file of an edge."""
        for path in (self._manifest.depfile(edge), self._manifest.rspfile(edge)):
            if path:
                self._output(path)

    def _output(self, path: str) -> None:
        if not outside(self._imported.places.of(path)):
            self._remove(self._folder / path, path)

    def _remove(self, place: Path, shown: str) -> None:
        if shown in self._gone:
            return
        self._gone.add(shown)
        if not (place.is_symlink() or place.is_file()):
            return
        if not self._dry:
            try:
                place.unlink()
            except OSError as error:
                raise named(error, place, "removing") from error
        self._count += 1
        self._say(f"Remove {shown}")

    def _holds(self, path: str, hash_: str) -> bool:
        place = self._project.settings.root / path
        if place.is_symlink():
            return True  # a link holds nothing of its own that could be lost
        try:
            return place.is_file() and hashing.of_file(place)[0] == hash_
        except OSError as error:
            raise named(error, place, "reading") from error

    def _shown(self, path: str) -> str:
        return self._imported.shown(path)

    def _say(self, text: str) -> None:
        if self._verbose:
            render.out(text)
