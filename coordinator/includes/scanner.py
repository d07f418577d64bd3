"""Which files of the project a compile could read: the closure of what its sources ask for.

Conditions are not evaluated, so it is never too few unless the scan says that it has doubts; then anything of the
tree may be read. Files outside of the tree belong to the toolchain. Pure but for the view of the tree it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from coordinator.includes import contents
from coordinator.includes.command import Compile, Surroundings, compiles
from coordinator.includes.contents import Contents
from coordinator.includes.macros import Meaning, Table, meaning
from coordinator.includes.places import Places
from coordinator.includes.resolver import Edges, Found, Path, Tree, bracket_chain, precompiled
from shared.directives import NO_MODULES
from shared.model.path import basename


class Files(Protocol):
    """The files of the tree as they are now, by paths relative to its root."""

    def content(self, path: str) -> bytes:
        """The bytes of a file that is there."""

    def digest(self, path: str) -> str:
        """What its bytes are called; asked often, so it must be at hand."""


class Memory(Protocol):
    """Contents by digest, kept between scans."""

    def get(self, digest: str) -> Contents | None:
        """What is known of a digest."""

    def put(self, digest: str, found: Contents) -> None:
        """Remember it."""


class Scan(NamedTuple):
    """paths: files of the project that the command may read, its sources included.

    dirs: folders of the project that must be there for the search, be it empty. doubts: why it may read more.
    """

    paths: frozenset[str]
    dirs: frozenset[str]
    doubts: tuple[str, ...]

    @property
    def unresolved(self) -> bool:
        """Whether it may read files that `paths` does not name."""
        return bool(self.doubts)


class Scanner:
    """Scans compiles of one tree. Not for two threads at once."""

    def __init__(self, paths: Iterable[str], files: Files, root: str, memory: Memory) -> None:
        """paths: all files of the tree. root: its absolute path as commands spell it."""
        self.tree = Tree(paths)
        self._files, self._memory, self.digest = files, memory, files.digest
        self._places = Places(root)
        self._defines: dict[str, contents.Defines] = {}

    def scan(
        self,
        command: Sequence[str] | str,
        *,
        cwd: str = "",
        sources: Iterable[str] = (),
        environ: Mapping[str, str] | None = None,
        responses: Mapping[str, str] | None = None,
    ) -> Scan:
        """What a list of words or a shell text that runs in a folder of the tree may read.

        sources: what it compiles, as far as the words do not say. responses: texts of response files by their name in
        the command; others are read from the tree.
        """
        texts = responses or {}

        def response(folder: str, name: str) -> str | None:
            if name in texts:
                return texts[name]
            place = self._places.of(folder, name)
            if place is None or place not in self.tree.paths:
                return None
            return self._files.content(place).decode("utf-8", "replace")

        around = Surroundings(self._places, environ or {}, response, self.tree.paths.__contains__)
        found = _Closure(self, sources)
        for one in compiles(command, cwd, around):
            found.add(one)
        return found.scan()

    def edges(self, search: Found, path: str) -> Edges:
        """Where a file leads under a search path."""
        digest = self.digest(path)
        known = search.edges.get(path)
        if known is None or known.digest != digest:
            known = search.edges[path] = self._edges(search, path, digest)
        return known

    def defines(self, path: str, digest: str) -> contents.Defines:
        """The macros that a file of a digest defines."""
        known = self._defines.get(digest)
        if known is None:
            known = self._defines[digest] = contents.defines(self._files.content(path))
        return known

    def find(self, search: Found, folder: str, name: str, *, quoted: bool) -> tuple[str, ...]:
        """The files that a name in a file of a folder may mean."""
        if name[:1] == "/":
            place = self._places.of("", name)
            return (place,) if place is not None and place in self.tree.paths else ()
        return search.quote(folder, name) if quoted else search.angle(name)

    def _contents(self, digest: str, path: str) -> Contents:
        known = self._memory.get(digest)
        if known is None:
            known = contents.read(self._files.content(path))
            self._memory.put(digest, known)
        return known

    def _edges(self, search: Found, path: str, digest: str) -> Edges:
        asked = self._contents(digest, path)
        if asked is contents.NOTHING:
            return Edges(digest, frozenset())
        folder = path.rpartition("/")[0]
        askers = self.tree.askers
        for names in _names(asked):
            for name in names:
                askers.setdefault(basename(name), set()).add(path)
        found: set[str] = set()
        for name in asked.quotes:
            found.update(self.find(search, folder, name, quoted=True))
        for name in asked.angles:
            found.update(self.find(search, folder, name, quoted=False))
        for name in (*asked.nexts, *asked.assembler):
            found |= search.every(folder, name)
        more = {one for name in asked.embeds for one in search.every(folder, name)}
        if self.tree.stead:
            more |= {one for one in found if precompiled(one) is not None}
        suffix = path.rpartition(".")[2]
        modules = asked.modules and suffix not in NO_MODULES
        passed = self._passed(search, folder, asked)
        plain = not (more or passed or asked.computed or asked.opaque or modules)
        return Edges(digest, frozenset(found - more), tuple(more), passed, asked.computed, asked.opaque, modules, plain)

    def _passed(self, search: Found, folder: str, asked: Contents) -> tuple[str, ...]:
        """Folders that names lead through and out of again: without them such a name means nothing."""
        passed: set[str] = set()
        for names in _names(asked):
            for name in names:
                if "/.." in name.lstrip("./"):
                    for one in (folder, *search.path.quote, *search.path.bracket):
                        self._places.of(one, name, passed)
        return tuple(passed)


def _names(asked: Contents) -> tuple[tuple[str, ...], ...]:
    return asked.quotes, asked.angles, asked.nexts, asked.embeds, asked.assembler


class _Closure:
    """Everything that one command may read."""

    def __init__(self, scanner: Scanner, sources: Iterable[str]) -> None:
        self._scanner, self._tree = scanner, scanner.tree
        self._given = list(sources)
        self._paths: set[str] = set()
        self._dirs: set[str] = set()
        self._doubts: dict[str, None] = {}

    def scan(self) -> Scan:
        return Scan(frozenset(self._paths), frozenset(self._dirs - {""}), tuple(self._doubts))

    def add(self, one: Compile) -> None:
        quote = tuple(dict.fromkeys(one.quote))
        bracket = bracket_chain(one.plain, one.system, one.after)
        more = tuple(dict.fromkeys((*one.embed, *one.assembler)))
        search = self._tree.found(Path(one.cwd, quote, bracket, more, one.here, one.nostdinc))
        self._dirs.update(quote, bracket, more, one.passed, (one.cwd,))
        self._doubts.update(dict.fromkeys(one.doubts))
        self._paths.update(one.named)
        start = set(search.implicit)
        for source in (*self._given, *one.sources):
            if source in self._tree.paths:
                start.add(source)
            else:
                self._doubts[f"the source is not there: {source}"] = None
        for name in one.forced:
            for path in self._scanner.find(search, one.cwd, name, quoted=True):
                (start if precompiled(path) is None else self._paths).add(path)
        self._paths |= self._reach(search, start, one)

    def _reach(self, search: Found, start: set[str], one: Compile) -> set[str]:
        scanner, known = self._scanner, search.edges
        digest = scanner.digest
        seen, todo = set(start), list(start)
        computed: dict[tuple[str, str], None] = {}
        more: set[str] = set()
        while todo:
            path = todo.pop()
            edges = known.get(path)
            if edges is None or edges.digest != digest(path):
                edges = scanner.edges(search, path)
            if not edges.follow <= seen:
                new = edges.follow - seen
                seen |= new
                todo += new
            if not edges.plain:
                more.update(edges.more)
                self._dirs.update(edges.passed)
                computed.update(dict.fromkeys((path.rpartition("/")[0], name) for name in edges.computed))
                if edges.opaque:
                    self._doubts[f"{path} includes a name that is computed"] = None
                if edges.modules:
                    self._doubts[f"{path} has to do with modules"] = None
            if not todo and computed:
                meant = self._computed(search, seen, computed, one) - seen
                seen |= meant
                todo += meant
        return seen | more

    def _computed(self, search: Found, seen: set[str], computed: Iterable[tuple[str, str]], one: Compile) -> set[str]:
        """The files that macros mean."""
        scanner, known = self._scanner, search.edges
        tables: list[Table] = [{name: (value,)} for name, value in one.defines]
        tables += [table for path in seen if (table := scanner.defines(path, known[path].digest))]
        found: set[str] = set()
        meanings: dict[str, Meaning] = {}
        for folder, macro in computed:
            if macro not in meanings:
                meanings[macro] = meaning(macro, tables)
            names, doubt = meanings[macro]
            for quoted, name in names:
                found.update(scanner.find(search, folder, name, quoted=quoted))
            if doubt:
                self._doubts[f"{macro} names a file in a way that is computed: {doubt}"] = None
        return {path for path in found if precompiled(path) is None}
