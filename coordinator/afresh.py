"""Afresh: looks at what commands in the workspace itself left there beyond what they declare, before anything reads it.

A nested build (CMake's ExternalProject) installs headers that nobody declares, and libraries that the edge of another
step declares.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from coordinator.imported.build import is_header
from coordinator.project import Project
from shared import hashing
from shared.errors import named
from shared.model.action import Input, Output
from shared.model.graph import BuildGraph
from shared.model.path import is_normal
from shared.model.snapshot import Snapshot
from shared.storage.blobs import BlobStore

_LIBRARY = re.compile(r"\.(?:a|so(?:\.\d+)*|dylib|dll)$")
# What build tools keep for themselves.
_OWN = frozenset((".git", ".windrow", "CMakeFiles"))


def afresh_of(project: Project, graph: BuildGraph, snapshot: Snapshot, blobs: BlobStore) -> Afresh | None:
    """For a project with a build folder; None for any other."""
    imported = project.imported
    if imported is None or not imported.ninja.cwd:
        return None
    root, folder = project.settings.root, imported.ninja.cwd
    return Afresh(graph, snapshot, root=root, folder=folder, blobs=blobs, interesting=is_header)


class Afresh:
    """Of one try at a plan. folder: the build folder, relative to the root.

    interesting: whether a file that was not there before may be read by who was not told of it.
    """

    def __init__(
        self,
        graph: BuildGraph,
        snapshot: Snapshot,
        *,
        root: Path,
        folder: str,
        blobs: BlobStore,
        interesting: Callable[[str], bool],
    ) -> None:
        self._graph, self._sources = graph, snapshot.sources
        self._root, self._folder, self._blobs, self._interesting = root, folder, blobs, interesting
        here = {id_ for id_, recipe in graph.recipes.items() if recipe.place == "workspace"}
        # A later command in the workspace sees what is there.
        self._read = {need for id_, needs in graph.dependencies.items() if id_ not in here for need in here & {*needs}}
        self._outputs = [path for id_ in here for path in graph.recipes[id_].outputs] if self._read else []

    def __call__(self, job: str, find: Callable[[str], Input | None]) -> list[Output]:
        """What holds something else than `find` says once a job is done, stored; none if no job elsewhere reads it."""
        if job not in self._read:
            return []
        paths = dict.fromkeys((*self._outputs, *self._known(), *self._new()))
        return [found for path in paths if (found := self._look(path, find(path))) is not None]

    def _known(self) -> Iterator[str]:
        below = f"{self._folder}/"
        return (path for path in self._sources if path.startswith(below))

    def _new(self) -> Iterator[str]:
        top = str(self._root / self._folder)
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name not in _OWN]
            inside = os.path.relpath(folder, self._root)
            for name in files:
                path = f"{inside}/{name}"
                known = path in self._sources or path in self._graph.producer
                if not known and (self._interesting(path) or _LIBRARY.search(name)) and is_normal(path):
                    yield path

    def _look(self, path: str, known: Input | None) -> Output | None:
        place = self._root / path
        try:
            status = place.lstat()
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(place)  # noqa: PTH115 - Path.readlink tidies the text
                data = os.fsencode(target)
                found = Output(path, hashing.of_bytes(data), len(data), "link", target)
            elif stat.S_ISREG(status.st_mode):
                hash_, size = hashing.of_file(place)
                found = Output(path, hash_, size, "exec" if status.st_mode & stat.S_IXUSR else "file")
            else:
                return None
            if known is not None and (known.hash, known.mode) == (found.hash, found.mode):
                return None
            if found.mode == "link":
                self._blobs.put(found.hash, data)
            else:
                self._blobs.put_file(found.hash, place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise named(error, place, "reading") from error
        return found
