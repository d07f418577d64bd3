"""Shared libraries that an edge reads although it names only what stands for them. Pure.

Linking against a shared library takes its symbols, not its code. Meson has a file of them made from each library, GN
beside each, by a command with `restat`, and names that file alone as the input of links: they run again when it
changes, not with every change of the library. docs/design/keys.md says what follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.manifest import Manifest

_SUFFIXES = (".so", ".dylib", ".dll")
_LIBRARY = re.compile(r"\.(so(\.\d+)*|dylib|dll)$")


class Libraries:
    """Answers for one build file. of: where in the tree a path as written is."""

    def __init__(self, manifest: Manifest, of: Callable[[str], str]) -> None:
        self._of = of
        self._behind = {name: libraries for edge in manifest.edges for name, libraries in _stands(manifest, edge)}

    def behind(self, edge: Edge, inputs: Iterable[str]) -> tuple[str, ...]:
        """The libraries, as paths of the tree, for which an input of an edge stands; without those among its inputs."""
        if not self._behind:
            return ()
        names = (*edge.inputs, *edge.implicit)
        found = {self._of(path) for name in names for path in self._behind.get(name, ())}
        found.difference_update(map(self._of, edge.all_outputs))
        return tuple(sorted(found.difference(inputs))) if found else ()


def _stands(manifest: Manifest, edge: Edge) -> list[tuple[str, tuple[str, ...]]]:
    """The outputs of an edge that stand for shared libraries, each with these."""
    if edge.phony or not any(suffix in edge.outs or suffix in edge.ins for suffix in _SUFFIXES):
        return []
    made = tuple(path for path in edge.all_outputs if _LIBRARY.search(path))
    # Made beside the library, or of nothing but libraries.
    libraries = made or (tuple(edge.inputs) if all(map(_LIBRARY.search, edge.inputs)) else ())
    others = [path for path in edge.all_outputs if path not in made]
    if not libraries or not others or not manifest.restat(edge):
        return []
    return [(path, libraries) for path in others]
