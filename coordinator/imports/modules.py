"""ModuleIndex: which files of a tree a module's name stands for, under every root it may be found in. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

_BUILT = (".so", ".pyd")


class ModuleIndex:
    """The importable files of a tree. A name that several roots have stands for the files of all of them."""

    def __init__(self, paths: Iterable[str], roots: Iterable[str]) -> None:
        self.roots = tuple(dict.fromkeys(root.strip("/") if root != "." else "" for root in roots))
        self.files: set[str] = set()
        self._built: dict[str, list[str]] = {}
        self._folders: set[str] = {""}
        self._all: set[str] = set()
        for path in paths:
            self._all.add(path)
            folder, _, name = path.rpartition("/")
            if name.endswith(".py"):
                self.files.add(path)
            elif name.endswith(_BUILT):
                stem = posixpath.join(folder, name.partition(".")[0])
                self._built.setdefault(stem, []).append(path)
            while folder not in self._folders:
                self._folders.add(folder)
                folder = folder.rpartition("/")[0]

    def is_folder(self, path: str) -> bool:
        """Whether files lie below a path."""
        return path in self._folders

    def is_file(self, path: str) -> bool:
        """Whether a path is a file of the tree."""
        return path in self._all

    def find(self, name: str) -> set[str]:
        """The files that importing a dotted name runs, its packages' `__init__.py` among them; none for a stranger."""
        found: set[str] = set()
        for root in self.roots:
            self._walk(root, name, found)
        return found

    def find_from(self, folder: str, name: str) -> set[str]:
        """The same for a name relative to a folder; empty stands for the folder's own package."""
        found: set[str] = set()
        if not name:
            self._add(posixpath.join(folder, "__init__.py"), found)
        else:
            self._walk(folder, name, found)
        return found

    def packages_of(self, path: str) -> set[str]:
        """The `__init__.py` of every package that a file lies in."""
        found: set[str] = set()
        folder = posixpath.dirname(path)
        while (init := posixpath.join(folder, "__init__.py")) in self.files:
            found.add(init)
            if not folder:
                break
            folder = posixpath.dirname(folder)
        return found

    def base_of(self, path: str) -> str:
        """The folder from which a file's own name counts: the first above it that is no package."""
        folder = posixpath.dirname(path)
        while folder and posixpath.join(folder, "__init__.py") in self.files:
            folder = posixpath.dirname(folder)
        return folder

    def _walk(self, folder: str, name: str, found: set[str]) -> None:
        for part in name.split("."):
            if part == "*":
                found.update(self._inside(folder))
                return
            here = posixpath.join(folder, part)
            self._add(f"{here}.py", found)
            found.update(self._built.get(here, ()))
            if here not in self._folders:
                return
            self._add(f"{here}/__init__.py", found)
            folder = here

    def _inside(self, folder: str) -> list[str]:
        return [path for path in self.files if posixpath.dirname(path) == folder]

    def _add(self, path: str, found: set[str]) -> None:
        if path in self.files:
            found.add(path)
