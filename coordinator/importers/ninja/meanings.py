"""What the names of a build file stand for: phony edges resolved to paths. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from coordinator.importers.ninja.edges import Edge
from shared.errors import DependencyCycle


class Meaning(NamedTuple):
    """What a name stands for: paths as written, those that only come before, and whether it is never up to date.

    checks: what validates the phony edges on the way.
    """

    paths: tuple[str, ...]
    after: tuple[str, ...] = ()
    always: bool = False
    checks: tuple[str, ...] = ()


class Meanings:
    """Answers for one build file. makers: the edge that makes a path. there: whether a file is there."""

    def __init__(self, makers: Mapping[str, Edge], there: Callable[[str], bool]) -> None:
        self._makers, self._there = makers, there
        self._known: dict[str, Meaning] = {}

    def of(self, path: str) -> Meaning:
        """What a name stands for; GraphError when phony edges lead in a circle."""
        if path not in self._known:
            self._resolve(path)
        return self._known[path]

    def _resolve(self, path: str) -> None:
        """Find what a name stands for, after what it names; without recursion, for chains may be of any length."""
        trail: dict[str, None] = {}
        waiting = [(path, False)]
        while waiting:
            name, done = waiting.pop()
            if done:
                del trail[name]
                self._known[name] = self._combined(name, self._makers[name])
                continue
            if name in self._known:
                continue
            edge = self._makers.get(name)
            if edge is None or not edge.phony:
                self._known[name] = Meaning((name,))
            elif name in trail:
                way = list(trail)
                raise DependencyCycle(
                    f"dependency cycle: {' -> '.join((*way[way.index(name) :], name))}",
                    at=edge.at,
                    fix="take one of these inputs out",
                )
            elif not edge.all_inputs:
                # Such a name is a file that may be missing, or one that is never up to date.
                there = self._there(name)
                self._known[name] = Meaning((name,) if there else (), (), not there, edge.validations)
            else:
                trail[name] = None
                waiting.append((name, True))
                waiting += [(one, False) for one in (*self._read(name, edge), *self._before(edge))[::-1]]

    def _read(self, path: str, edge: Edge) -> list[str]:
        # CMake once wrote `build x: phony x`.
        return [name for name in (*edge.inputs, *edge.implicit) if name != path]

    def _before(self, edge: Edge) -> list[str]:
        # As with ninja: what only comes before a phony edge may be missing. CMake names folders so.
        return [name for name in edge.order_only if name in self._makers or self._there(name)]

    def _combined(self, path: str, edge: Edge) -> Meaning:
        """What a phony edge stands for, once that is known of all it names."""
        read = [self._known[name] for name in self._read(path, edge)]
        before = [self._known[name] for name in self._before(edge)]
        paths = dict.fromkeys(name for one in read for name in one.paths)
        after = dict.fromkeys(name for one in read for name in one.after)
        after.update(dict.fromkeys(name for one in before for name in (*one.paths, *one.after)))
        checks = dict.fromkeys((*edge.validations, *(name for one in (*read, *before) for name in one.checks)))
        return Meaning(tuple(paths), tuple(after), any(one.always for one in read), tuple(checks))
