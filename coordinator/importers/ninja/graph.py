"""A build.ninja as recipes: phony edges resolved, paths and commands in terms of the tree. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from coordinator.importers.ninja.circumstances import Late, Tree
from coordinator.importers.ninja.commands import builds, finds, opens_folders, programs, thin
from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.libraries import Libraries
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.meanings import Meaning, Meanings
from coordinator.importers.ninja.namings import Namings
from coordinator.importers.ninja.places import Places, outside
from shared.commands import searched
from shared.errors import GraphError
from shared.model.graph import Names, Place, Recipe

_CONSOLE = "console"
SHELL = ("/bin/sh", "-c")

Identity = Callable[[tuple[str, ...]], str]


class Imported(NamedTuple):
    """What a build file comes to, whatever has run before. headers: the sources that a compiler could come by."""

    recipes: list[Recipe]
    names: Names
    headers: tuple[str, ...]
    warnings: tuple[str, ...]


class Importer:
    """Makes recipes of the edges of one build file; use once.

    identity: what the programs of a command are.
    local: rules (globs) whose commands run on this machine. late: what dyndep files add, by an output. apart: edges
    that are set apart, for they wait for each other or for such, by number; each with the way around. named: the paths
    of the tree that edges name as inputs and no edge makes.
    """

    def __init__(  # noqa: PLR0913 - what a graph is made of
        self,
        manifest: Manifest,
        places: Places,
        tree: Tree,
        *,
        identity: Identity,
        local: tuple[str, ...] = (),
        late: Mapping[str, Late] | None = None,
        mounts: tuple[str, ...] = (),
        env: tuple[tuple[str, str | None], ...] = (),
        apart: Mapping[int, str] | None = None,
        named: frozenset[str] = frozenset(),
    ) -> None:
        self.manifest, self.places, self.tree, self.identity = manifest, places, tree, identity
        self.local, self.late, self.mounts = local, late or {}, mounts
        self.env = env
        self.makers: dict[str, Edge] = {}
        for edge in manifest.edges:
            for path in edge.all_outputs:
                self.makers[path] = edge
            for path in self._late(edge).outputs:
                self.makers[path] = edge
        self.meanings = Meanings(self.makers, self._there)
        self.libraries = Libraries(manifest, places.of)
        self._orders: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._absences: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {}
        self._tools: dict[tuple[str, ...], str] = {}
        self._phony_checks = any(edge.phony and edge.validations for edge in manifest.edges)
        self._ids: dict[int, str] = {}
        self._thins: dict[int, bool] = {}
        self._apart = {id(manifest.edges[number]): around for number, around in (apart or {}).items()}
        self._own = frozenset((*map(id, manifest.makers()), *self._apart))
        self.missing: dict[str, tuple[str, str]] = {}
        self.missing_before: dict[str, tuple[str, str]] = {}
        self.wrong_deps: dict[str, str] = {}
        makers = self.makers.items()
        self.made = {places.of(path, edge.at) for path, edge in makers if not edge.phony and not self.rebuilds(edge)}
        self.namings = Namings(places, tree, self.made, named)

    def run(self, headers: tuple[str, ...] = ()) -> Imported:
        """Everything; `headers` are the sources that a compiler could come by."""
        edges = (edge for edge in self.manifest.edges if not (edge.phony or self.rebuilds(edge)))
        recipes = [self._recipe(edge, headers) for edge in edges]
        return Imported(recipes, self._names(), headers, self.manifest.warnings)

    def rebuilds(self, edge: Edge) -> bool:
        """Whether an edge is not in the graph: it makes a file of the build description itself, or is set apart."""
        return id(edge) in self._own

    def id_of(self, edge: Edge) -> str:
        """The id of an edge's recipe."""
        known = self._ids.get(id(edge))
        if known is None:
            first = edge.outputs[0] if edge.outputs else edge.implicit_outputs[0]
            known = self._ids[id(edge)] = f"{edge.rule}:{self.places.of(first, edge.at)}"
        return known

    def _late(self, edge: Edge) -> Late:
        return self.late.get(edge.all_outputs[0], Late()) if self.late else Late()

    # -- names ------------------------------------------------------------------------------------

    def _names(self) -> Names:
        edges = [edge for edge in self.manifest.edges if id(edge) not in self._apart]
        aliases = {
            path: self._makers_of(self.meanings.of(path)) for edge in edges if edge.phony for path in edge.outputs
        }
        default = self.manifest.defaults or self._ends()
        circles = self._circles(default)
        wanted: dict[str, None] = {}
        for name in default if "" not in circles else ():
            wanted.update(dict.fromkeys(self._makers_of(self.meanings.of(name))))
        validations = {
            self.id_of(edge): tuple(id_ for path in checks for id_ in self._makers_of(self.meanings.of(path)))
            for edge in edges
            if not edge.phony and (checks := self._checks(edge))
        }
        return Names(
            aliases=aliases,
            default=tuple(wanted),
            validations=validations,
            missing=self.missing,
            missing_before=self.missing_before,
            wrong_deps=self.wrong_deps,
            pools={name: depth for name, depth in self.manifest.pools.items() if depth > 0},
            absent=self._unmade(default),
            circles=circles,
        )

    def _circles(self, default: Iterable[str]) -> dict[str, str]:
        """What is set apart, by the names a person may ask for, and why; "": one of the defaults is."""
        if not self._apart:
            return {}
        edges = (edge for edge in self.manifest.edges if id(edge) in self._apart)
        around = {path: self._apart[id(edge)] for edge in edges for path in edge.all_outputs}
        found = {path if self.makers[path].phony else self.places.of(path): why for path, why in around.items()}
        names = tuple(default) or tuple(around)  # every output is an input of another
        first = next((around[name] for name in names if name in around), None)
        return found if first is None else {**found, "": first}

    def _unmade(self, default: Iterable[str]) -> dict[str, tuple[str, str]]:
        """What phony edges name that nobody makes and is not there, and the edge that does; "": of the defaults."""
        found: dict[str, tuple[str, str]] = {}
        for edge in self.manifest.edges:
            if edge.phony:
                asked = (path for path in (*edge.inputs, *edge.implicit) if path not in edge.outputs)
                gone = next((path for path in asked if not self._comes(path)), None)
                if gone is not None:
                    found.update(dict.fromkeys(edge.outputs, (gone, edge.outputs[0])))
        if not found:
            return found
        for name in (*self.manifest.defaults, *(path for path in self.makers if self.makers[path].phony)):
            inner = next((one for one in self._within(name) if one in found), None)
            if inner is not None:
                found.setdefault(name, found[inner])
        first = next((name for name in default if name in found), None)
        return found if first is None else {**found, "": found[first]}

    def _within(self, name: str) -> Iterator[str]:
        """The phony edges that a name stands for, itself first; none of them twice."""
        seen, stack = {name}, [name]
        while stack:
            edge = self.makers.get(path := stack.pop())
            if edge is not None and edge.phony:
                yield path
                stack.extend(one for one in edge.all_inputs if one not in seen)
                seen.update(edge.all_inputs)

    def _ends(self) -> tuple[str, ...]:
        """What nobody takes for an input: ninja's targets where the file names none."""
        taken = {path for edge in self.manifest.edges for path in edge.all_inputs}
        return tuple(
            path
            for edge in self.manifest.edges
            if not self.rebuilds(edge)
            for path in edge.all_outputs
            if path not in taken
        )

    def _checks(self, edge: Edge) -> tuple[str, ...]:
        """What validates an edge, and the phony edges it needs."""
        if not self._phony_checks:
            return edge.validations
        return (*edge.validations, *(path for name in edge.all_inputs for path in self.meanings.of(name).checks))

    def _makers_of(self, meant: Meaning) -> tuple[str, ...]:
        """The ids of what makes these paths; with a phony edge its validations come along."""
        ids: dict[str, None] = {}
        stack = [*reversed((*meant.paths, *meant.after, *meant.checks))]
        seen = set(stack)
        while stack:
            path = stack.pop()
            edge = self.makers.get(path)
            if edge is not None and edge.phony:
                more = self.meanings.of(path)
                fresh = [one for one in (*more.paths, *more.after, *more.checks) if one not in seen]
                seen.update(fresh)
                stack.extend(fresh)
            elif edge is not None and not self.rebuilds(edge):
                ids[self.id_of(edge)] = None
        return tuple(ids)

    def _there(self, path: str) -> bool:
        place = self.places.of(path)
        if outside(place):
            return bool(self.tree.outside(place))
        known = place in self.tree.sources or place in self.tree.folders
        return known or bool(self.tree.through(place, ""))

    # -- recipes ----------------------------------------------------------------------------------

    def _recipe(self, edge: Edge, headers: tuple[str, ...]) -> Recipe:
        ask, of = self.manifest.value, self.places.of
        late = self._late(edge)
        command = self.manifest.command(edge)
        heads = programs(command)
        deps = self.manifest.deps(edge)
        notes = self.manifest.notes(edge) if deps == "msvc" else ""
        written = "" if notes else self.manifest.depfile(edge)
        depfile = of(written, edge.at) if written else None
        if depfile is not None and outside(depfile):
            depfile = None
        id_ = self.id_of(edge)
        if deps and (wrong := _wrong(deps, written)):
            self.wrong_deps[id_] = wrong
        inputs, beyond, after, always = self._inputs(edge, late, id_)
        place = self._place(edge, command, heads)
        rspfile = self.manifest.rspfile(edge)
        how = finds(command, heads, edge.inputs[0] if edge.inputs else "", depfile=bool(depfile or notes))
        if how == "declared" and (opens_folders(self.places.marked(command)) or self._names_folder(edge)):
            how = "tree"
        inputs = self.namings.programs(heads, inputs)
        if how == "declared":
            told = self.namings.words(self.places.marked(command), inputs)
            how, inputs = ("tree", inputs) if told is None else (how, told)
        return Recipe(
            id=id_,
            rule=edge.rule,
            argv=(*SHELL, self.places.marked(command)),
            outputs=tuple(self._output(path, edge) for path in (*edge.all_outputs, *late.outputs)),
            inputs=inputs,
            candidates=headers if how == "includes" else (),
            env=self.env,
            depfile=depfile,
            tools=self._identity(heads),
            at=edge.at,
            root=self.places.root,
            cwd=self.places.cwd,
            mounts=self.mounts,
            files=((of(rspfile, edge.at), self.places.marked(self.manifest.rspfile_content(edge))),) if rspfile else (),
            after=after,
            finds=how,
            place=place,
            pool=edge.pool,
            loose=True,
            always=always,
            libraries=self.libraries.behind(edge, inputs),
            outside=beyond,
            description=ask(edge, "description"),
            notes=notes,
            keeps_depfile=depfile is not None and not deps,
        )

    def _output(self, path: str, edge: Edge) -> str:
        place = self.places.of(path, edge.at)
        if outside(place):
            raise GraphError(
                f"output {path} lies outside the project",
                at=edge.at,
                why=f"the project is {self.places.root}; what a build makes is kept inside it",
                fix="put the build folder inside the project's root",
            )
        self.tree.through(posixpath.dirname(place), edge.at)  # refuses a link that leads out of the tree
        return place

    def _inputs(
        self, edge: Edge, late: Late, id_: str
    ) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], tuple[str, ...], bool]:
        of = self.places.of
        paths: dict[str, None] = {}
        beyond: dict[str, str] = {}
        after: tuple[str, ...] = self._order(edge.order_only) if edge.order_only else ()
        for name, path in self._absent(edge.order_only) if edge.order_only else ():
            missing = self.missing_before if path == name else self.missing
            missing.setdefault(id_, (path, self._needer(edge, name, path)))
        extra: dict[str, None] = {}
        always = False
        for name in (*edge.inputs, *edge.implicit, *late.inputs):
            meant = self.meanings.of(name)
            always = always or meant.always
            extra.update(dict.fromkeys(meant.after))
            for path in self._members(meant.paths):
                place = of(path, edge.at)
                if outside(place):
                    digest = self.tree.outside(place)
                    if digest:
                        beyond[place] = digest
                    else:
                        self.missing.setdefault(id_, (path, self._needer(edge, name, path)))
                elif place in paths or place in self.tree.folders or not place:
                    continue
                elif place in self.made or place in self.tree.sources:
                    paths[place] = None
                elif behind := self.tree.through(place, edge.at):
                    paths.update(dict.fromkeys(behind))
                else:
                    paths[place] = None
                    self.missing.setdefault(id_, (path, self._needer(edge, name, path)))
        if extra:
            after = tuple(dict.fromkeys((*after, *(of(path) for path in extra))))
        return tuple(sorted(paths)), tuple(sorted(beyond.items())), after, always

    def _members(self, paths: tuple[str, ...]) -> Iterable[str]:
        """The paths, and the members of those that are thin archives."""
        archives = [path for path in paths if path.endswith(".a")]
        found: Iterable[str] = paths
        for path in archives:
            edge = self.makers.get(path)
            if edge is not None and not edge.phony and self._thin(edge):
                found = dict.fromkeys((*found, *self._members(edge.inputs)))
        return found

    def _thin(self, edge: Edge) -> bool:
        if id(edge) not in self._thins:
            self._thins[id(edge)] = thin(self.manifest.command(edge))
        return self._thins[id(edge)]

    def _names_folder(self, edge: Edge) -> bool:
        """Whether an input is a folder: what of it is read is not said."""
        paths = (path for name in edge.inputs for path in self.meanings.of(name).paths)
        return any(not (place := self.places.of(path, edge.at)) or place in self.tree.folders for path in paths)

    def _absent(self, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Which of these stand for what nobody makes and is not there; the same tuple for all that say the same."""
        known = self._absences.get(names)
        if known is None:
            meant = ((name, self.meanings.of(name)) for name in names)
            found = ((name, path) for name, one in meant for path in (*one.paths, *one.after))
            known = self._absences[names] = tuple((name, path) for name, path in found if not self._comes(path))
        return known

    def _needer(self, edge: Edge, name: str, path: str) -> str:
        """Whose input a path is that an edge needs under some name: an output of a phony edge, or of its own."""
        return next((one for one in self._within(name) if path in self.makers[one].all_inputs), edge.all_outputs[0])

    def _comes(self, path: str) -> bool:
        return path in self.makers or self._there(path)

    def _order(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """What must come before; the same tuple for all edges that say the same."""
        known = self._orders.get(names)
        if known is None:
            found: dict[str, None] = {}
            for name in names:
                meant = self.meanings.of(name)
                found.update(dict.fromkeys(self.places.of(path) for path in (*meant.paths, *meant.after)))
            known = self._orders[names] = tuple(path for path in found if path in self.made)
        return known

    def _identity(self, heads: tuple[str, ...]) -> str:
        known = self._tools.get(heads)
        if known is None:
            known = self._tools[heads] = self.identity(heads)
        return known

    def _place(self, edge: Edge, command: str, heads: tuple[str, ...]) -> Place:
        if edge.pool == _CONSOLE or self.manifest.generator(edge) or builds(command, heads, edge.outs):
            return "workspace"
        if edge.pool or self.manifest.value(edge, "local"):
            return "here"
        return "here" if any(fnmatchcase(edge.rule, pattern) for pattern in self.local) else "any"


def _wrong(deps: str, depfile: str) -> str:
    """What ninja says of an edge with such deps, once it has run; "" if nothing."""
    if deps == "gcc" and not depfile:
        return "edge with deps=gcc but no depfile makes no sense"
    return "" if deps in {"gcc", "msvc"} else f"unknown deps type '{deps}'"


def told_by_commands(manifest: Manifest) -> tuple[tuple[tuple[str, ...], ...], set[str]]:
    """The programs of every command, each combination once, and the folders that compilers look for headers in."""
    heads: set[tuple[str, ...]] = set()
    folders: set[str] = set()
    for edge in manifest.edges:
        if not edge.phony:
            command = manifest.command(edge)
            heads.add(programs(command))
            folders.update(searched(command))
    return tuple(heads), folders
