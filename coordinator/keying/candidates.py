"""Which files a run could have found under a name it asked for, answered quickly for many recipes."""

from __future__ import annotations

from collections.abc import Iterable

from shared.model.action import Trace
from shared.model.graph import Recipe
from shared.model.path import basename


class Candidates:
    """The candidates of a recipe by base name. Thread-safe: an index is seen whole or not at all.

    Recipes of one rule share one tuple of candidates, so each distinct tuple is indexed once.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = tuple(sources)
        self._indexes: dict[int, dict[str, list[str]]] = {}
        self._folders: dict[str, list[str]] | None = None

    def scope(self, recipe: Recipe, trace: Trace) -> set[str]:
        """Every path the recipe could read: declared, read before, or (given the tree) any source."""
        paths = {*recipe.inputs, *recipe.candidates, *trace.used}
        return paths.union(self._sources) if trace.tree else paths

    def shadowing(self, recipe: Recipe, trace: Trace) -> list[str]:
        """The paths of the scope that carry a name the trace asked for, sorted."""
        if "*" in trace.probes:
            return sorted(self.scope(recipe, trace))
        pools = [self._index(recipe.candidates)]
        if trace.tree:
            pools.append(self._index(self._sources))
        probes = frozenset(trace.probes)
        found = {path for path in (*recipe.inputs, *trace.used) if basename(path) in probes}
        for folder in trace.listed:
            found.update(self._inside().get(folder, ()))
            found.update(path for path in (*recipe.inputs, *trace.used) if path.rpartition("/")[0] == folder)
        for pool in pools:
            for name in probes:
                found.update(pool.get(name, ()))
        return sorted(found)

    def unread(self, recipe: Recipe, trace: Trace) -> tuple[str, ...]:
        """What of `shadowing` the trace did not read, sorted: usually nothing."""
        known = {*recipe.inputs, *trace.used}
        if trace.tree or trace.listed or "*" in trace.probes:
            return tuple(path for path in self.shadowing(recipe, trace) if path not in known)
        index = self._index(recipe.candidates)
        found = (path for name in trace.probes if name in index for path in index[name] if path not in known)
        return tuple(sorted(found))

    def _inside(self) -> dict[str, list[str]]:
        """The sources by the folder they lie in."""
        folders = self._folders
        if folders is None:
            folders = {}
            for path in self._sources:
                folders.setdefault(path.rpartition("/")[0], []).append(path)
            self._folders = folders
        return folders

    def _index(self, paths: tuple[str, ...]) -> dict[str, list[str]]:
        index = self._indexes.get(id(paths))
        if index is None:
            index = {}
            for path in paths:
                index.setdefault(basename(path), []).append(path)
            self._indexes[id(paths)] = index
        return index
