"""Who makes and who uses a path, what is built when nothing is named, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.near import near
from coordinator.importers.ninja.spelling import canonical
from shared.errors import GraphError, UnknownTarget

# Names of targets for what is a flag or a tool.
_RATHER = {"clean": "ninja -t clean", "help": "ninja -h"}


class Lookup:
    """The edges of a manifest by path; made once, asked often."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.edges: Sequence[Edge] = manifest.edges

    @cached_property
    def makers(self) -> dict[str, int]:
        """The number of the edge that makes a path."""
        found = {}
        for number, edge in enumerate(self.edges):
            for output in edge.outputs:
                found[output] = number
            for output in edge.implicit_outputs:
                found[output] = number
        return found

    @cached_property
    def users(self) -> dict[str, list[int]]:
        """The edges that need a path, as often as they name it."""
        found: dict[str, list[int]] = {}
        for number, edge in enumerate(self.edges):
            for path in edge.all_inputs:
                found.setdefault(path, []).append(number)
        return found

    @cached_property
    def validated(self) -> dict[str, list[int]]:
        """The edges that name a path behind `|@`."""
        found: dict[str, list[int]] = {}
        for number, edge in enumerate(self.edges):
            for path in edge.validations:
                found.setdefault(path, []).append(number)
        return found

    def maker(self, path: str) -> Edge | None:
        """The edge that makes a path; None for a source."""
        number = self.makers.get(path)
        return None if number is None else self.edges[number]

    def roots(self) -> list[str]:
        """The outputs that no edge needs, in file order; GraphError if each is needed by another."""
        users = self.users
        found = [path for edge in self.edges for path in edge.all_outputs if path not in users]
        if self.edges and not found:
            raise GraphError(
                "could not determine root nodes of build graph",
                why="every output is an input of another edge",
                fix="name a target, or write a `default` statement",
            )
        return found

    def defaults(self) -> list[str]:
        """What is built when no target is named."""
        return list(self.manifest.defaults) or self.roots()

    def targets(self, names: Iterable[str]) -> list[str]:
        """The paths that names given by a person stand for; the defaults if there are none. UnknownTarget."""
        return [self.target(name) for name in names] or self.defaults()

    def target(self, name: str) -> str:
        """The path that a name stands for: `x^` is the first output that is made of x. UnknownTarget."""
        if not name:
            raise UnknownTarget("empty path", fix="name a target")
        child = name.endswith("^")
        path = canonical(name.removesuffix("^")) if name != "^" else ""
        if path not in self.makers and path not in self.users and path not in self.validated:
            meant = _RATHER.get(path) or near(path, (one for paths in (self.makers, self.users) for one in paths))
            raise UnknownTarget(f"unknown target '{path}'", fix=f"did you mean '{meant}'?" if meant else "")
        if not child:
            return path
        if path not in self.users:
            raise UnknownTarget(f"'{path}' has no out edge", why="nothing is made of it")
        return self.edges[self.users[path][0]].all_outputs[0]

    def order(self, targets: Iterable[str], *, validations: bool = False, cycles: bool = True) -> list[Edge]:
        """The edges that targets need, each behind those it needs itself; with validations, also what those need.

        GraphError for a cycle, with its paths; with cycles allowed, as ninja's tools do, a path that is being
        looked at counts as made.
        """
        makers, edges = self.makers, self.edges
        state = bytearray(len(edges))  # 1 while it is on the way, 2 when it is in the list
        ordered: list[Edge] = []
        waiting = list(targets)
        for target in waiting:  # it grows
            first = makers.get(target)
            if first is None or state[first]:
                continue
            state[first] = 1
            way: list[tuple[int, str, Iterator[str]]] = [(first, target, iter(edges[first].all_inputs))]
            while way:
                number, _, inputs = way[-1]
                for path in inputs:
                    needed = makers.get(path)
                    if needed is None or state[needed] == 2:
                        continue
                    if state[needed]:
                        if not cycles:
                            raise self._cycle(needed, path, [(one, named) for one, named, _ in way])
                        continue
                    state[needed] = 1
                    way.append((needed, path, iter(edges[needed].all_inputs)))
                    break
                else:
                    way.pop()
                    state[number] = 2
                    ordered.append(edges[number])
                    if validations:
                        waiting += edges[number].validations
        return ordered

    def stand_ins(self) -> set[str]:
        """What phony edges name where a command stands behind them: CMake names byproducts so."""
        needing: dict[str, list[Edge]] = {}
        for edge in self.edges:
            for path in edge.all_inputs if edge.phony else ():
                needing.setdefault(path, []).append(edge)
        made = ((path, self.maker(path)) for path in needing)
        waiting = [path for path, maker in made if maker is not None and not maker.phony]
        found: set[str] = set()
        while waiting:
            for edge in needing.pop(waiting.pop(), ()):
                new = set(edge.all_outputs) - found
                found |= new
                waiting += new
        return found

    def circles(self) -> dict[int, str]:
        """The edges that wait for themselves, or need one that does, by number; each with the way around."""
        makers, edges = self.makers, self.edges
        needs = [{makers[path] for path in edge.all_inputs if path in makers} for edge in edges]
        users: dict[int, list[int]] = {}
        for number, needed in enumerate(needs):
            for one in needed:
                users.setdefault(one, []).append(number)
        left = [len(needed) for needed in needs]
        ready = [number for number, count in enumerate(left) if not count]
        for number in ready:  # it grows
            for user in users.get(number, ()):
                left[user] -= 1
                if not left[user]:
                    ready.append(user)
        stuck = {number for number, count in enumerate(left) if count}
        found = {number: self._around(number, needs, stuck) for number in sorted(stuck)}
        # What is validated is wanted together with what validates it.
        waiting = list(found)
        while waiting:
            one = waiting.pop()
            checked = (user for path in edges[one].all_outputs for user in self.validated.get(path, ()))
            for user in (*users.get(one, ()), *checked):
                if user not in found:
                    found[user] = found[one]
                    waiting.append(user)
        return found

    def _around(self, number: int, needs: Sequence[set[int]], stuck: set[int]) -> str:
        trail: list[int] = []
        while number not in trail:
            trail.append(number)
            number = min(needs[number] & stuck)
        loop = [*trail[trail.index(number) :], number]
        return " -> ".join(self.edges[one].all_outputs[0] for one in loop)

    def _cycle(self, number: int, path: str, way: list[tuple[int, str]]) -> GraphError:
        begin = next(place for place, (one, _) in enumerate(way) if one == number)
        around = " -> ".join([path, *(named for _, named in way[begin + 1 :]), path])
        return GraphError(
            f"dependency cycle: {around}",
            at=self.edges[number].at,
            why="each needs the next one to be there first",
            fix="take one of these inputs out",
        )
