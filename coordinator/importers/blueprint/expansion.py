"""Expands a blueprint over its loops: blueprint and values to recipes with canonical ids. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import msgspec

from coordinator.importers.blueprint import names
from coordinator.importers.blueprint.model import EVERY, Blueprint, InputDecl, Made, ProducerDecl, Ref, Values
from coordinator.importers.blueprint.names import Turn
from shared import calls, canonical, hashing
from shared.errors import GraphError
from shared.model.file import FileState
from shared.model.graph import Recipe

MOST_JOBS = 100_000

Nested = str | list["Nested"]


class Expanded(msgspec.Struct, frozen=True):
    """The recipes of a blueprint. artefacts: path to canonical id and MIME type. inputs: id to the value's digest."""

    recipes: tuple[Recipe, ...]
    artefacts: dict[str, tuple[str, str]]
    inputs: dict[str, str]


def expand(
    blueprint: Blueprint,
    values: Values,
    *,
    folder: str,
    sources: Mapping[str, FileState],
    identity: Callable[[str, str], str],
) -> Expanded:
    """Every job of a blueprint; GraphError with the line for what cannot be.

    folder: where artefacts lie. sources: the files of the tree. identity: what a call is, from its name and its line.
    """
    return _Expander(blueprint, values, folder, sources, identity).run()


class _Expander:
    def __init__(
        self,
        blueprint: Blueprint,
        values: Values,
        folder: str,
        sources: Mapping[str, FileState],
        identity: Callable[[str, str], str],
    ) -> None:
        self.blueprint, self.values, self.folder = blueprint, values, folder
        self.sources, self.identity = sources, identity
        self.counts = {name: self._count(name) for name in blueprint.loops}
        self.makers: dict[str, Made] = {
            made.ref.name: made for producer in blueprint.producers.values() for made in producer.makes
        }

    def run(self) -> Expanded:
        """Every recipe, and what its paths are called."""
        self._refuse_too_many()
        recipes = tuple(recipe for producer in self.blueprint.producers.values() for recipe in self._jobs(producer))
        artefacts = {
            self._path(made, turn): (names.artefact_id(made.ref.name, turn), made.type)
            for made in self.makers.values()
            for turn in self._turns(made.ref.indices)
        }
        inputs = {names.input_id(name): self._digest(declared) for name, declared in self.blueprint.inputs.items()}
        return Expanded(recipes, artefacts, inputs)

    def _count(self, name: str) -> int:
        loop = self.blueprint.loops[name]
        if isinstance(loop.count, int):
            return loop.count
        value = self.values.values.get(loop.count)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise GraphError(
                f"input '{loop.count}' is no number of turns: {value!r}",
                at=self.values.at.get(loop.count) or self.blueprint.inputs[loop.count].at,
                why=f"the loop '{name}' ({loop.at}) goes round so often",
                fix=f"{loop.count}: 3",
            )
        return value

    def _refuse_too_many(self) -> None:
        total = 0
        for producer in self.blueprint.producers.values():
            jobs = 1
            for loop in producer.each:
                jobs *= self.counts[loop]
            total += jobs
            if total > MOST_JOBS:
                raise GraphError(f"the blueprint makes more than {MOST_JOBS:,} jobs", at=producer.at)

    def _turns(self, loops: tuple[str, ...]) -> Iterator[Turn]:
        """Every combination of the turns of some loops, in order."""
        turns: list[tuple[tuple[str, int], ...]] = [()]
        for loop in loops:
            turns = [(*turn, (loop, index)) for turn in turns for index in range(self.counts[loop])]
        return iter(turns)

    def _jobs(self, producer: ProducerDecl) -> Iterator[Recipe]:
        values, files = self._inputs(producer)
        tools = self.identity(producer.call, producer.at)
        place = calls.in_tree(producer.call)
        if place is not None and place[0] not in self.sources:
            raise GraphError(f"missing input {place[0]}", at=producer.at, why=f"producer '{producer.name}' calls it")
        for turn in self._turns(producer.each):
            reads = {ref.name: self._read(ref, at, dict(turn)) for ref, at in producer.reads if self._made(ref)}
            makes = {made.ref.name: self._nested(made, made.ref.indices[len(turn) :], turn) for made in producer.makes}
            outputs = tuple(path for nested in makes.values() for path in _flat(nested))
            if not outputs:
                continue  # every loop that it makes something in has no turns
            id_ = names.producer_id(producer.name, turn)
            inputs = {path for nested in reads.values() for path in _flat(nested)}.union(files.values())
            word = {
                "id": id_,
                "index": dict(turn),
                "values": values,
                "reads": {**reads, **files},
                "makes": makes,
                "config": producer.config,
            }
            yield Recipe(
                id=id_,
                rule=producer.name,
                argv=(producer.call, canonical.encode(word).decode()),
                outputs=outputs,
                inputs=tuple(sorted(inputs.union((place[0],) if place else ()))),
                timeout=producer.timeout or None,
                kind=calls.KIND,
                tools=tools,
                at=producer.at,
                pool=producer.rate,
                cost=producer.cost,
                editable=True,
                description=id_,
            )

    def _inputs(self, producer: ProducerDecl) -> tuple[dict[str, Any], dict[str, str]]:
        """The values that a producer reads, and the files of the project, by the names of its inputs."""
        values: dict[str, Any] = {}
        files: dict[str, str] = {}
        for ref, at in producer.reads:
            declared = self.blueprint.inputs.get(ref.name)
            if declared is None:
                continue
            if ref.indices:
                raise GraphError(f"input '{ref.name}' has no loops", at=at, fix=ref.name)
            if not declared.file:
                values[ref.name] = self.values.values[ref.name]
            elif declared.file in self.sources:
                files[ref.name] = declared.file
            else:
                raise GraphError(
                    f"missing input {declared.file}", at=declared.at, why=f"input '{ref.name}' is this file"
                )
        return values, files

    def _made(self, ref: Ref) -> bool:
        return ref.name not in self.blueprint.inputs

    def _read(self, ref: Ref, at: str, turn: Mapping[str, int]) -> Nested:
        """The paths of an artefact that is read: one, or a list for each `[*]`."""
        made = self.makers.get(ref.name)
        if made is None:
            raise self._nobody_makes(ref, at)
        if len(ref.indices) != len(made.ref.indices):
            raise GraphError(
                f"{ref} has {len(ref.indices)} of the {len(made.ref.indices)} loops of {made.ref}",
                at=at,
                why=f"see {made.at}",
                fix="write [*] for every turn of a loop",
            )

        def walk(done: tuple[tuple[str, int], ...]) -> Nested:
            if len(done) == len(ref.indices):
                return self._path(made, done)
            loop, index = made.ref.indices[len(done)], ref.indices[len(done)]
            if index == EVERY:
                return [walk((*done, (loop, number))) for number in range(self.counts[loop])]
            if turn[index] >= self.counts[loop]:
                raise GraphError(
                    f"there is no {made.ref.name} for turn {turn[index]} of '{index}'",
                    at=at,
                    why=f"{made.ref} has {self.counts[loop]} turns of '{loop}'",
                )
            return walk((*done, (loop, turn[index])))

        return walk(())

    def _nested(self, made: Made, rest: tuple[str, ...], turn: Turn) -> Nested:
        """The paths of an artefact for one turn of its producer: one, or a list for each loop besides."""
        if not rest:
            return self._path(made, turn)
        return [self._nested(made, rest[1:], (*turn, (rest[0], number))) for number in range(self.counts[rest[0]])]

    def _path(self, made: Made, turn: Turn) -> str:
        return names.artefact_path(self.folder, made.ref.name, turn, made.type)

    def _digest(self, declared: InputDecl) -> str:
        if declared.file:
            return self.sources[declared.file].hash if declared.file in self.sources else ""
        return hashing.of_value(self.values.values[declared.name])

    def _nobody_makes(self, ref: Ref, at: str) -> GraphError:
        import difflib  # noqa: PLC0415 - only for a typo

        known: Collection[str] = [*self.blueprint.inputs, *self.makers]
        close = difflib.get_close_matches(ref.name, known, n=1)
        return GraphError(
            f"nothing is called {ref.name}",
            at=at,
            why="it is no input, and no producer makes it",
            fix=f"did you mean {close[0]}?" if close else "",
        )


def _flat(nested: Nested) -> Iterator[str]:
    if isinstance(nested, str):
        yield nested
    else:
        for item in nested:
            yield from _flat(item)
