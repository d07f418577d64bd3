"""Kept trees: what was laid out for one job is given to the next, but for what differs. docs/adr/0024.

Only of jobs after which every file that is handed on can be shown to be as it was laid out: the time of change of an
inode, which no command can set, tells of any write to it, and of a changed mode, owner or attribute as well. Where it
does not tell of writes by way of a mapping, in memory, written.py does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from shared.errors import LocalError
from shared.model.action import Input
from workers.sandbox.marks import Laid, laid_of, mark, noticed
from workers.sandbox.removal import remove

LEAST = 24  # times the effort of one small file; less is laid out sooner than it is compared
_LIKE_A_FILE = 64 << 10  # bytes that take as long to copy and to check as a file takes to be made


def effort(items: Iterable[Input]) -> float:
    """What it takes to lay files out, in small files."""
    return sum(1 + item.size / _LIKE_A_FILE for item in items)


class Kept(NamedTuple):
    """A folder that holds these files as they were laid out, these folders ("" is its own), and nothing else.

    observed: whether its files have the times of access that show which are read.
    """

    tree: Path
    items: dict[str, Input]
    laid: dict[str, Laid]
    folders: set[str]
    observed: bool

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(item.size for item in self.items.values())


class KeptTrees:
    """Those of one home; thread-safe. most: how many are kept, and how many bytes of all of them."""

    def __init__(self, most: tuple[int, int]) -> None:
        self._most, self._size = most
        self._kept: list[Kept] = []
        self._lock = threading.Lock()

    def take(self, inputs: Iterable[Input], *, observed: bool) -> Kept | None:
        """The tree that is nearest to what a job needs; None where laying out anew is less work."""
        wanted = {item.path: item for item in inputs if item.mode != "link"}
        anew = effort(wanted.values())
        if anew < LEAST:
            return None
        with self._lock:
            left = [(_difference(kept, wanted), kept) for kept in self._kept if kept.observed == observed]
            least, nearest = min(left, key=itemgetter(0), default=(anew, None))
            if nearest is None or least * 2 > anew:
                return None
            self._kept.remove(nearest)
            return nearest

    def give(self, kept: Kept) -> list[Path]:
        """Keep a tree; the folders of those that are to be removed for it, or of itself."""
        with self._lock:
            self._kept.append(kept)
            gone = []
            while len(self._kept) > self._most or sum(one.size for one in self._kept) > self._size:
                gone.append(self._kept.pop(0).tree)
            return gone

    def clear(self) -> list[Path]:
        """Keep none any more; their folders."""
        with self._lock:
            kept, self._kept = self._kept, []
        return [one.tree for one in kept]


def _difference(kept: Kept, wanted: Mapping[str, Input]) -> float:
    """What it takes to make of a tree what a job needs, in small files."""
    lacked = (item for path, item in wanted.items() if not _serves(kept.items.get(path), item))
    return effort(lacked) + len(kept.items.keys() - wanted.keys())


def _serves(there: Input | None, wanted: Input) -> bool:
    return there is not None and (there.hash, there.mode) == (wanted.hash, wanted.mode)


def adapt(kept: Kept, inputs: Iterable[Input], folders: set[str]) -> dict[str, Input]:
    """Take from a tree all that a job is not given; what is left of its files. OSError.

    folders: those the job needs.
    """
    wanted = {item.path: item for item in inputs if item.mode != "link"}
    left: dict[str, Input] = {}
    for path, item in kept.items.items():
        other = wanted.get(path)
        if other is not None and _serves(item, other):
            left[path] = other
        else:
            os.unlink(f"{kept.tree}/{path}")  # noqa: PTH108 - as a string
    for folder in sorted(kept.folders - folders - {""}, reverse=True):
        os.rmdir(f"{kept.tree}/{folder}")  # noqa: PTH106 - as above
    return left


def tidied(
    tree: Path, given: Mapping[str, Input], laid: Mapping[str, Laid], *, mode: int, observed: bool
) -> Kept | None:
    """What is as it was laid out in the tree of a job that has ended, after all else is removed.

    given: files it was given, and laid: how. mode: of all folders. None for a tree that cannot be put in order.
    """
    items: dict[str, Input] = {}
    now: dict[str, Laid] = {}
    folders: set[str] = set()
    queue = [""]
    known = {folder for path in given for folder in _above(path)}
    try:
        while queue:
            prefix = queue.pop()
            if os.lstat(f"{tree}/{prefix}").st_mode != mode:
                return None
            folders.add(prefix.removesuffix("/"))
            with os.scandir(f"{tree}/{prefix}") as entries:
                for entry in entries:
                    path = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if path in known:
                            queue.append(path + "/")
                        else:
                            remove(Path(entry.path))
                        continue
                    item, status = given.get(path), entry.stat(follow_symlinks=False)
                    if item is None or laid.get(path) != laid_of(status):
                        os.unlink(entry.path)  # noqa: PTH108 - as a string
                        continue
                    items[path] = item
                    now[path] = mark(entry.path, observed=True) if observed and noticed(status) else laid[path]
    except (OSError, LocalError):
        # As a command may leave it: unreadable, or not to be written.
        return None
    return Kept(tree, items, now, folders, observed)


def _above(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path
