"""Finds files of the tree by the names that a compile asks for: search paths over sets of paths. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from coordinator.includes import standard
from shared.model.path import basename


class Path(NamedTuple):
    """The folders of a compile, in the order in which they are searched.

    here: the folder of the including file comes first for `""`. more: where embedded files and what the assembler
    includes may be besides. nostdinc: no system header is read.
    """

    cwd: str
    quote: tuple[str, ...]
    bracket: tuple[str, ...]
    more: tuple[str, ...]
    here: bool
    nostdinc: bool


def bracket_chain(plain: Iterable[str], system: Iterable[str], after: Iterable[str]) -> tuple[str, ...]:
    """The folders searched for `<>`: each once; one given both ways counts where the system's are, as in gcc."""
    late = dict.fromkeys((*system, *after))
    return (*(folder for folder in dict.fromkeys(plain) if folder not in late), *late)


class Tree:
    """Which files there are, and what has been found among them.

    What was found stays valid until a file of a name that was asked for comes or goes.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = set(paths)
        self.names: dict[str, int] = {}
        # Precompiled headers by the header in whose stead they are read, and headers of the system's families.
        self.stead: dict[str, set[str]] = {}
        self.families: set[str] = set()
        for path in self.paths:
            self._count(path, 1)
        self._found: dict[Path, Found] = {}
        # Files by the base names that they ask for.
        self.askers: dict[str, set[str]] = {}

    def add(self, paths: Iterable[str]) -> None:
        """Files that there are now."""
        for path in paths:
            if path not in self.paths:
                self.paths.add(path)
                self._count(path, 1)
                self._forget(path, came=True)

    def remove(self, paths: Iterable[str]) -> None:
        """Files that there are no longer."""
        for path in paths:
            if path in self.paths:
                self.paths.remove(path)
                self._count(path, -1)
                self._forget(path, came=False)

    def found(self, path: Path) -> Found:
        """What is known of a search path."""
        known = self._found.get(path)
        if known is None:
            known = self._found[path] = Found(self, path)
        return known

    def _count(self, path: str, step: int) -> None:
        header = precompiled(path)
        for name in (basename(path), *((basename(header),) if header else ())):
            count = self.names[name] = self.names.get(name, 0) + step
            if not count:
                del self.names[name]
        of = self.stead.setdefault(header, set()) if header else self.families
        if header or standard.in_family(path) is not None:
            (of.add if step > 0 else of.discard)(path)

    def _forget(self, path: str, *, came: bool) -> None:
        name = basename(precompiled(path) or path)
        if name in standard.BASE_NAMES or standard.in_family(path) is not None:
            self._found.clear()
            self.askers.clear()
            return
        askers = self.askers.pop(name, None)
        if came and askers is None and self.names.get(name) == 1:
            return  # it is the first of its name, and nothing has asked for it
        for found in self._found.values():
            found.forget(name, askers or ())


class Found:
    """What one search path finds, and the files that the files it found include."""

    def __init__(self, tree: Tree, path: Path) -> None:
        self._tree, self.path = tree, path
        # By base name, then by name.
        self._angles: dict[str, dict[str, tuple[str, ...]]] = {}
        self._quotes: dict[str, dict[str, tuple[str, ...]]] = {}
        self.edges: dict[str, Edges] = {}
        self.implicit: set[str] = (
            set() if path.nostdinc else standard.implicit(tree.paths, tree.names, tree.families, path.bracket)
        )

    def forget(self, name: str, askers: Iterable[str]) -> None:
        """Forget what a base name led to."""
        self._angles.pop(name, None)
        self._quotes.pop(name, None)
        for asker in askers:
            self.edges.pop(asker, None)

    def angle(self, name: str) -> tuple[str, ...]:
        """What `<name>` finds."""
        return self._first(self._angles, name, self.path.bracket)

    def quote(self, folder: str, name: str) -> tuple[str, ...]:
        """What `"name"` in a file of a folder finds."""
        base = basename(name)
        if base not in self._tree.names:
            return ()
        if self.path.here and name[:1] != "/":
            own = self._at(folder, name)
            if own and precompiled(own[-1]) is None:
                return own
            if own:
                return (*own, *self._first(self._quotes, name, (*self.path.quote, *self.path.bracket)))
        return self._first(self._quotes, name, (*self.path.quote, *self.path.bracket))

    def every(self, folder: str, name: str) -> set[str]:
        """All files that a name could mean, wherever the search begins."""
        if basename(name) not in self._tree.names:
            return set()
        folders = dict.fromkeys((folder, self.path.cwd, *self.path.quote, *self.path.bracket, *self.path.more))
        return {path for one in folders for path in self._at(one, name)}

    def _first(
        self, known: dict[str, dict[str, tuple[str, ...]]], name: str, folders: Iterable[str]
    ) -> tuple[str, ...]:
        base = name[name.rfind("/") + 1 :]
        if base not in self._tree.names:
            return ()
        names = known.get(base)
        if names is None:
            names = known[base] = {}
        found = names.get(name)
        if found is None:
            found = ()
            for folder in folders:
                found += self._at(folder, name)
                if found and precompiled(found[-1]) is None:
                    break
            names[name] = found
        return found

    def _at(self, folder: str, name: str) -> tuple[str, ...]:
        """The file of a name in a folder after what may be read in its stead; nothing if there is none."""
        path = join(folder, name)
        if path is None:
            return ()
        found = (path,) if path in self._tree.paths else ()
        return (*self._tree.stead[path], *found) if self._tree.stead and path in self._tree.stead else found


def precompiled(path: str) -> str | None:
    """The header in whose stead a precompiled one is read; None for other files."""
    if ".gch" not in path and not path.endswith(".pch"):
        return None
    if path.endswith(".pch"):
        return path[:-4]
    header, _, rest = path.partition(".gch")
    return header if rest[:1] in ("", "/") else None


class Edges(NamedTuple):
    """Where one file leads under one search path.

    digest: of the content this is of. follow: files that are looked into as well. more: files that are only read.
    passed: folders gone through on the way to a file. computed, opaque, modules: as in Contents.
    """

    digest: str
    follow: frozenset[str]
    more: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    opaque: bool = False
    modules: bool = False
    plain: bool = True


def join(folder: str, name: str) -> str | None:
    """The place of a name in a folder; None if it leads out of the tree."""
    if "./" not in name and "//" not in name and name[:1] != "/":
        return f"{folder}/{name}" if folder else name
    parts = folder.split("/") if folder else []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
