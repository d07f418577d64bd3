"""Imports: everything that running a Python file may take in, through any number of steps. Pure, given contents."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping

from coordinator.imports.contents import Contents
from coordinator.imports.modules import ModuleIndex


class Closure:
    """What a file reaches: the paths with the one each was first asked for by ("" for where it began).

    unknown: files among them whose imports only a run can tell, each with the line.
    """

    __slots__ = ("unknown", "via")

    def __init__(self) -> None:
        self.via: dict[str, str] = {}
        self.unknown: dict[str, int] = {}


class Imports:
    """The edges between the Python files of a tree.

    contents: what a file asks for, by path. reads: what a file is declared to read besides; that also says what its
    dynamic imports may be.
    """

    def __init__(
        self, index: ModuleIndex, contents: Callable[[str], Contents], reads: Mapping[str, Iterable[str]] = {}
    ) -> None:
        self.index, self._contents, self.reads = index, contents, reads
        self._direct: dict[str, tuple[str, ...]] = {}

    def direct(self, path: str) -> tuple[str, ...]:
        """What a file asks for itself, sorted."""
        known = self._direct.get(path)
        if known is None:
            known = self._direct[path] = tuple(sorted(self._found(path) - {path}))
        return known

    def closure(self, *starts: str) -> Closure:
        """Everything that these files reach, they themselves included; breadth first, so that chains are short."""
        reached = Closure()
        self._walk(reached, dict.fromkeys(starts, ""))
        return reached

    def extend(self, reached: Closure, came: str, paths: Iterable[str]) -> frozenset[str]:
        """Take in files that `came` is known to ask for, and what they reach; those of them that were not there yet."""
        new = {path: came for path in paths if path not in reached.via}
        self._walk(reached, new)
        return frozenset(new)

    def _walk(self, reached: Closure, begin: Mapping[str, str]) -> None:
        reached.via.update(begin)
        queue = list(begin)
        for path in queue:
            if (line := self.dynamic(path)) is not None:
                reached.unknown[path] = line
            for needed in self.direct(path):
                if needed not in reached.via:
                    reached.via[needed] = path
                    queue.append(needed)

    def dynamic(self, path: str) -> int | None:
        """The first line where a file imports what only a run can tell, unless it is declared what that may be."""
        if path not in self.index.files or path in self.reads:
            return None
        contents = self._contents(path)
        lines = [*contents.dynamic, *contents.listing]
        return min(lines) if lines else None

    def _found(self, path: str) -> set[str]:
        index = self.index
        if path not in index.files:
            return set(self.reads.get(path, ()))
        contents = self._contents(path)
        found = index.packages_of(path)
        found.update(self.reads.get(path, ()))
        for name in contents.names:
            found |= index.find(name)
        folder = posixpath.dirname(path)
        for level, name in contents.relative:
            found |= index.find_from(_up(folder, level - 1), name)
        for text in contents.texts:
            self._text(folder, text, found)
        return found

    def _text(self, folder: str, text: str, found: set[str]) -> None:
        """A text that names a module (`pkg.mod`, `pkg.mod:function`, `.mod`) or a file of the tree."""
        name = text.partition(":")[0]
        if "/" not in name:
            dots = len(name) - len(name.lstrip("."))
            if dots:
                found |= self.index.find_from(_up(folder, dots - 1), name[dots:])
            else:
                found |= self.index.find(name)
        for base in ("", folder):
            path = posixpath.normpath(posixpath.join(base, text)) if text else ""
            if self.index.is_file(path):
                found.add(path)


def _up(folder: str, levels: int) -> str:
    for _ in range(levels):
        folder = posixpath.dirname(folder)
    return folder
