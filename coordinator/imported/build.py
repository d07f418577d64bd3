"""The imported build of a project: its build.ninja, read once, and what it comes to in a tree."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cached_property

import msgspec

from coordinator.importers.links import Links
from coordinator.importers.ninja import compiled
from coordinator.importers.ninja.circumstances import Late, Tree
from coordinator.importers.ninja.commands import COMPILED
from coordinator.importers.ninja.dyndep import match, parse_dyndep
from coordinator.importers.ninja.edges import Edge
from coordinator.importers.ninja.graph import Identity, Imported, Importer, told_by_commands
from coordinator.importers.ninja.kept import KeptGraph, Told
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.places import Places, outside
from coordinator.importers.ninja.spelling import canonical
from coordinator.scan.beyond import Beyond
from shared import hashing
from shared.directives import C_FAMILY
from shared.errors import ConfigError, GraphError, named
from shared.globs import PathIndex
from shared.leftovers import may_be_left
from shared.model.snapshot import Snapshot
from shared.settings import NinjaSettings, Settings

COMPILED_FILE = "ninja.msgpack"
GRAPH_FILE = "graph.msgpack"
_HEADERS = C_FAMILY - COMPILED


class ImportedBuild:
    """A build.ninja in a project. GraphError, with `build.ninja:12`, when it cannot be read."""

    def __init__(self, settings: Settings, ninja: NinjaSettings) -> None:
        self.settings, self.ninja = settings, ninja
        self.file = settings.root / ninja.file
        self.places = Places(str(settings.root), ninja.cwd, settings.folders)
        self.beyond = Beyond(settings.state_dir)
        self._kept = KeptGraph(settings.state_dir / GRAPH_FILE)
        self.late: dict[str, Late] = {}
        # The dyndep files that this build has made, or found up to date.
        self.made_late: set[str] = set()
        # Edges that wait for each other, or for such, by number: nobody asked for them, and the rest can be built.
        self._apart: dict[int, str] = {}

    @cached_property
    def manifest(self) -> Manifest:
        """What the file says."""
        if not self.file.is_file():
            raise ConfigError(
                f"{self.ninja.file} is not there",
                at=str(self.file),
                why="[ninja] file names it",
                fix="configure the build first, for instance: cmake -S . -B build -G Ninja",
            )
        folder = self.settings.root / self.ninja.cwd
        return compiled.load(self.file, self.settings.state_dir / COMPILED_FILE, folder=folder)

    def forget(self) -> None:
        """The build files were written anew: read them again."""
        for name in ("manifest", "digest", "_told", "lookup"):
            self.__dict__.pop(name, None)
        self.late, self._apart = {}, {}
        self.made_late.clear()

    def set_apart(self) -> bool:
        """Leave out of the graph what waits for itself, and what needs that; False if nothing is left to leave out."""
        before, self._apart = self._apart, self.lookup.circles()
        return bool(self._apart) and not before

    @cached_property
    def lookup(self) -> Lookup:
        """Who makes and uses what, as the build file says; dyndep files add to it."""
        return Lookup(self.manifest)

    def load_late(self) -> None:
        """Read the dyndep files that are there now; GraphError for one that says what cannot be.

        What an edge has yet to make, or to find up to date, may be of an older build file: then it says nothing.
        """
        self.late = {}
        for name in self.dyndeps():
            try:
                text = (self.settings.root / self.ninja.cwd / name).read_text("utf-8", "surrogateescape")
                found = match(parse_dyndep(text, name), self.lookup, name)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise named(error, name, "reading") from error
            except GraphError:
                if name in self.made_late or self.lookup.maker(name) is None:
                    raise
                continue
            for number, told in found.items():
                self.late[self.manifest.edges[number].all_outputs[0]] = Late(told.implicit_outputs, told.implicit)

    def dyndeps(self) -> list[str]:
        """The dyndep files that edges name, each once."""
        return list(dict.fromkeys(edge.dyndep for edge in self.manifest.edges if edge.dyndep))

    def late_outputs(self, edge: Edge) -> tuple[str, ...]:
        """What a dyndep file that is there says an edge makes besides."""
        late = self.late.get(edge.all_outputs[0])
        return late.outputs if late is not None else ()

    def shown(self, path: str) -> str:
        """A path of the tree as the build file's commands would name it."""
        return os.path.relpath(path, self.ninja.cwd) if self.ninja.cwd else path

    @cached_property
    def digest(self) -> str:
        """What the build files hold."""
        return hashing.of_value([[name, self._content(name)] for name in self.manifest.files])

    def _content(self, name: str) -> str:
        path = self.settings.root / self.ninja.cwd / name
        try:
            return hashing.of_file(path)[0]
        except OSError as error:
            raise named(error, path, "reading") from error

    @property
    def programs(self) -> tuple[tuple[str, ...], ...]:
        """The programs that commands run, each combination once."""
        return self._told.programs

    @cached_property
    def _told(self) -> Told:
        whose = hashing.of_value([self.digest, self.places.root, self.places.cwd])
        told = self._kept.told(whose)
        if told is None:
            own = frozenset(map(id, self.manifest.makers()))
            edges = [edge for edge in self.manifest.edges if id(edge) not in own]
            # A phony edge without inputs says of a source that it may be missing; any other, that something makes it.
            makers = (edge for edge in edges if not edge.phony or edge.all_inputs)
            made = {path for edge in makers for path in edge.all_outputs}
            asked = {path for edge in edges for path in edge.all_inputs}
            named = set(map(self.places.of, asked - made)) - {""}
            beyond = {path for path in named if outside(path)}
            heads, folders = told_by_commands(self.manifest)
            compiled = (path for path in named - beyond if path.rpartition(".")[2].lower() in COMPILED)
            places = {*map(self.places.of, folders), *(path.rpartition("/")[0] for path in compiled)}
            searched = (place for place in places if place and not outside(place) and not self._configured(place))
            besides = frozenset(map(self.places.of, self.lookup.stand_ins())) - {""}
            inside, beyond_it = frozenset(named - beyond), tuple(sorted(beyond))
            told = Told(whose, heads, inside, beyond_it, tuple(sorted(searched)), besides)
            self._kept.tell(told)
        return told

    def named(self) -> frozenset[str]:
        """The paths of the tree that edges name as inputs and no edge makes."""
        return self._told.inside

    def beyond_named(self) -> list[tuple[str, str]]:
        """The files beyond the tree that edges name as inputs, with what they hold now; "" for none."""
        late = {self.places.of(path) for late in self.late.values() for path in late.inputs}
        paths = {*self._told.outside, *filter(outside, late)}
        return [(path, self.beyond.digest(path)) for path in sorted(paths)]

    def passed(self, environ: Mapping[str, str]) -> tuple[tuple[str, str | None], ...]:
        """The variables that commands get, sorted; None for one that is not set."""
        return tuple((name, environ.get(name)) for name in sorted(set(self.ninja.pass_env)))

    def target(self, name: str) -> str:
        """What a target of ninja's command line is called in the graph."""
        spelled = canonical(name)
        if any(edge.phony and spelled in edge.outputs for edge in self.manifest.edges):
            return spelled
        return self.places.of(spelled)

    def searched(self) -> tuple[str, ...]:
        """Folders of the tree that compilers look for headers in: what is in them counts, ignored by git or not."""
        return self._told.searched

    def own(self, path: str) -> bool:
        """Whether a path lies in the build folder."""
        cwd = self.ninja.cwd
        return bool(cwd) and path.startswith(cwd + "/")

    def _configured(self, place: str) -> bool:
        return self.own(f"{place}/")

    def noticed(self, snapshot: Snapshot, known: Collection[str]) -> Snapshot:
        """The snapshot without what configuring left in the build folder and nothing is known to read."""
        if not self.ninja.cwd:
            return snapshot
        named, below = self.named(), f"{self.ninja.cwd}/"
        kept = {
            path: state
            for path, state in snapshot.sources.items()
            if not path.startswith(below) or path in known or path in named or is_header(path)
        }
        return msgspec.structs.replace(snapshot, sources=kept)

    def unmade(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot without what an earlier build left and, as phony edges say, commands make."""
        left = {path for path in self._told.besides if path in snapshot.sources and may_be_left(path, self.ninja.cwd)}
        if not left:
            return snapshot
        kept = {path: state for path, state in snapshot.sources.items() if path not in left}
        return msgspec.structs.replace(snapshot, sources=kept)

    def beside(self, path: str) -> bool:
        """Whether a source is of no interest unless a job reads it: no edge names it, not even one not built yet."""
        return self.own(path) and not is_header(path) and path not in self.named()

    def left(self, path: str) -> bool:
        """Whether a job may write over a file that nothing is known to make: an earlier build left it."""
        return may_be_left(path, self.ninja.cwd) and path not in self.named()

    def recipes(
        self, snapshot: Snapshot, identity: Identity, environ: Mapping[str, str], made_from: str = ""
    ) -> Imported:
        """The recipes of all edges in this tree; made_from: the digest of all else they are made from, if known."""
        key = self._key(snapshot, made_from) if made_from else ""
        known = self._kept.graph(key) if key else None
        if known is not None:
            return known
        tree = Tree(snapshot.sources, snapshot.folders, self.beyond.digest)
        if snapshot.links:
            tree = tree._replace(through=Links(snapshot.links, PathIndex(snapshot.sources), ()).through)
        importer = Importer(
            self.manifest,
            self.places,
            tree,
            identity=identity,
            local=self.ninja.local,
            late=self.late,
            mounts=self.settings.folders,
            env=self.passed(environ),
            apart=self._apart,
            named=self.named(),
        )
        headers = tuple(sorted(path for path in snapshot.sources if is_header(path) and path not in importer.made))
        imported = importer.run(headers)
        if key:
            self._kept.keep(key, imported)
        return imported

    def _key(self, snapshot: Snapshot, made_from: str) -> str:
        """What recipes are made from: of the tree its paths alone, for no recipe depends on what a file holds."""
        paths = hashing.of_bytes("\0".join(snapshot.sources).encode("utf-8", "surrogateescape"))
        told = [made_from, paths, sorted(snapshot.folders), sorted(snapshot.links.items())]
        place = [self.places.root, self.places.cwd, list(self.ninja.local), list(self.settings.folders)]
        return hashing.of_value([*told, *place, len(self._apart)])

    def save(self) -> None:
        """Keep what was learnt for the next build."""
        self.beyond.save()
        self._kept.save()


def is_header(path: str) -> bool:
    """Whether a compiler could come by a file, going by its name."""
    name = path.rpartition("/")[2]
    return "." not in name or name.rpartition(".")[2].lower() in _HEADERS
