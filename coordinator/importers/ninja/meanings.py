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
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._follow(path, ())
        return found

    def _follow(self, path: str, trail: tuple[str, ...]) -> Meaning:
        known = self._known.get(path)
        if known is not None:
            return known
        edge = self._makers.get(path)
        if edge is None or not edge.phony:
            return Meaning((path,))
        if path in trail:
            raise DependencyCycle(
                f"dependency cycle: {' -> '.join((*trail[trail.index(path) :], path))}",
                at=edge.at,
                fix="take one of these inputs out",
            )
        if not edge.all_inputs:
            # Such a name is a file that may be missing, or one that is never up to date.
            there = self._there(path)
            return Meaning((path,) if there else (), (), not there, edge.validations)
        paths: dict[str, None] = {}
        after: dict[str, None] = {}
        checks = dict.fromkeys(edge.validations)
        always = False
        for name in (*edge.inputs, *edge.implicit):
            if name == path:
                continue  # CMake once wrote `build x: phony x`
            one = self._follow(name, (*trail, path))
            paths.update(dict.fromkeys(one.paths))
            after.update(dict.fromkeys(one.after))
            checks.update(dict.fromkeys(one.checks))
            always = always or one.always
        for name in edge.order_only:
            if name not in self._makers and not self._there(name):
                # As with ninja: what only comes before a phony edge may be missing. CMake names folders so.
                continue
            one = self._follow(name, (*trail, path))
            after.update(dict.fromkeys((*one.paths, *one.after)))
            checks.update(dict.fromkeys(one.checks))
        answer = self._known[path] = Meaning(tuple(paths), tuple(after), always, tuple(checks))
        return answer
