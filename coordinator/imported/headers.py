"""Headers: what a compile of an imported build is given before a run has told what it reads."""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Set

from coordinator.dispatch.tree import RunTree
from coordinator.dispatch.uploads import SourceMoved
from coordinator.includes import DirectiveCache, Scanner
from coordinator.includes.contents import Contents
from shared import hashing
from shared.errors import BlobMissing, named
from shared.model.graph import Recipe
from shared.model.path import basename
from shared.settings import Settings
from shared.storage.blobs import BlobStore

_FILE = "directives.msgpack"


class Headers:
    """The files that a scan of a compile's sources comes by, and every header of a name that one of them asks for.

    The second because the key of a compile also holds the headers that could be found in another's stead. Thread-safe.
    """

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._root, self._blobs = settings.root, blobs
        # By content, so it serves every checkout of this user.
        self._cache = DirectiveCache.load(settings.cache_dir / _FILE)
        self._lock = threading.Lock()
        self._scanner: Scanner | None = None
        self._tree: RunTree | None = None
        self._named: dict[int, dict[str, list[str]]] = {}
        self._asked: dict[str, frozenset[str]] = {}
        self._made = 0

    def __call__(self, recipe: Recipe, tree: RunTree) -> Set[str]:
        """Paths of the tree, some of which may not be there; every source if the scan has doubts."""
        with self._lock:
            scanner = self._ready(recipe, tree)
            scan = scanner.scan(
                recipe.command,
                cwd=recipe.cwd,
                sources=recipe.inputs[:1] if len(recipe.inputs) == 1 else (),
                environ={name: value for name, value in recipe.env if value is not None},
                responses={posixpath.relpath(path, recipe.cwd or "."): text for path, text in recipe.told_files},
            )
            if scan.unresolved:
                return {*scan.paths, *tree.snapshot.sources}
            names = frozenset[str]().union(*(self._names(path) for path in scan.paths))
            pool = self._pool(recipe.candidates)
            return scan.paths.union(*(pool[name] for name in names if name in pool))

    def save(self) -> str:
        """Keep what was learnt for the next build; a warning if that cannot be done."""
        return self._cache.save()

    # What the scanner asks of files.

    def content(self, path: str) -> bytes:
        """The bytes of a file of the tree."""
        assert self._tree is not None
        if path in self._tree.snapshot.sources:
            try:
                data = (self._root / path).read_bytes()
            except FileNotFoundError as error:
                raise SourceMoved(f"{path} was deleted while the build ran") from error
            except OSError as error:
                raise named(error, self._root / path, "reading") from error
            if hashing.of_bytes(data) != self.digest(path):
                # What is learnt is kept under the digest, for every build to come.
                raise SourceMoved(f"{path} changed while the build ran")
            return data
        try:
            return self._blobs.get(self.digest(path))
        except BlobMissing:
            return b""  # whoever fetches it for the job sees to it

    def digest(self, path: str) -> str:
        """What its bytes are called."""
        assert self._tree is not None
        state = self._tree.find(path)
        return state.hash if state is not None else ""

    def _ready(self, recipe: Recipe, tree: RunTree) -> Scanner:
        if self._scanner is None or self._tree is not tree:
            self._tree = tree
            self._named.clear()  # by identity, which holds as long as the graph of the tree does
            self._scanner = Scanner(tree.all_paths(), self, recipe.root, self._cache)
            self._made = tree.count_made()
        elif (made := tree.count_made()) != self._made:
            self._scanner.tree.add(tree.made_since(self._made))
            self._made = made
        return self._scanner

    def _names(self, path: str) -> frozenset[str]:
        digest = self.digest(path)
        names = self._asked.get(digest)
        if names is None:
            known = self._cache.get(digest) or Contents()
            lists = (known.quotes, known.angles, known.nexts, known.embeds, known.assembler)
            names = self._asked[digest] = frozenset(basename(name) for one in lists for name in one)
        return names

    def _pool(self, candidates: tuple[str, ...]) -> dict[str, list[str]]:
        pool = self._named.get(id(candidates))
        if pool is None:
            pool = self._named[id(candidates)] = {}
            for path in candidates:
                pool.setdefault(basename(path), []).append(path)
        return pool
