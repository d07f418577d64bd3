"""Marks: the times a job's files are laid out with, which tell afterwards what its command read and changed."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from shared import hashing
from shared.model.action import Action, Input
from workers.sandbox.broken import Broken
from workers.sandbox.outputs import opened

# Inode, size, mode, times of modification and of change in nanoseconds.
Laid = tuple[int, int, int, int, int]

# Older than the times of modification, so that the first access is noted whatever the file system puts off.
_UNREAD = 1  # nanoseconds after the epoch
# The same for all files, and no time at which a command could write.
_LAID_OUT = 946_684_800 * 10**9  # nanoseconds: the year 2000
_FICLONE = 0x40049409  # linux/fs.h, of x86 and ARM


class Read(NamedTuple):
    """The inputs that a command read, and the folders whose entries it asked for ("" for the tree); both sorted."""

    inputs: tuple[str, ...]
    folders: tuple[str, ...]


class Marks:
    """Made when all is laid out, asked before anything else has looked at it.

    marked: files that are marked already. laid: all of them, as they were when the command began. written: tells files
    that may hold something else though their times say nothing of it; None when it cannot tell all of them.
    """

    def __init__(
        self,
        tree: Path,
        action: Action,
        folders: Iterable[str],
        *,
        observed: bool,
        marked: Mapping[str, Laid] = MappingProxyType({}),
        written: Callable[[], frozenset[str] | None] = frozenset,
    ) -> None:
        self._tree, self._action, self._folders = str(tree), action, ("", *folders)
        self._written = written
        self.mode = os.lstat(tree).st_mode  # of its folders, all made alike, as far as the umask allows
        self.laid: dict[str, Laid] = dict(marked)
        for item in action.inputs:
            if item.path not in self.laid:
                self.laid[item.path] = mark(f"{self._tree}/{item.path}", observed=observed)
        if observed:
            for folder in self._folders:
                os.utime(f"{self._tree}/{folder}", ns=(_UNREAD, _LAID_OUT))

    def read(self) -> Read:
        """What was read. An input that is gone counts too, and one that is empty: its size alone told all.

        So does one that has changed as a file: an output that is linked to it holds what it does.
        """
        inputs = [item.path for item in self._action.inputs if not item.size or self._used(item.path)]
        folders = [folder for folder in self._folders if (now := self._status(folder)) is not None and noticed(now)]
        return Read(tuple(sorted(inputs)), tuple(sorted(folders)))

    def changed(self) -> list[str]:
        """The inputs that hold something else now and are no outputs, sorted; one that is gone is not among them."""
        made, written = frozenset(self._action.outputs), self._written()
        return sorted(
            item.path
            for item in self._action.inputs
            if item.path not in made and self._differs(item, written=written is None or item.path in written)
        )

    def untouched(self) -> dict[str, Laid] | None:
        """How the files were laid out that nobody can have written to unless their times tell; None if unknown."""
        written = self._written()
        return None if written is None else {path: laid for path, laid in self.laid.items() if path not in written}

    def _used(self, path: str) -> bool:
        now = self._status(path)
        return now is None or noticed(now) or laid_of(now) != self.laid[path]

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(f"{self._tree}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _differs(self, item: Input, *, written: bool) -> bool:
        path = f"{self._tree}/{item.path}"
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        kind = "link" if stat.S_ISLNK(status.st_mode) else "exec" if status.st_mode & stat.S_IXUSR else "file"
        if kind != item.mode or not (stat.S_ISREG(status.st_mode) or kind == "link"):
            return True
        now, laid = laid_of(status), self.laid[item.path]
        if now == laid and not written:
            return False
        same = now[:2] == laid[:2]
        # The text of a symlink cannot be changed, only the symlink replaced.
        if kind == "link" or (same and status.st_mtime_ns == _LAID_OUT and not written):
            return not same
        try:
            with opened(Path(self._tree), item.path) as fd:
                return hashing.of_descriptor(fd)[0] != item.hash
        except Broken:
            return True


def mark(path: str, *, observed: bool) -> Laid:
    """Give a file the times that all are laid out with; OSError."""
    os.utime(path, ns=(_UNREAD if observed else _LAID_OUT, _LAID_OUT), follow_symlinks=False)
    return laid_of(os.lstat(path))


def laid_of(status: os.stat_result) -> Laid:
    """What tells a file that was laid out from any other, and from itself once it was written to."""
    return status.st_ino, status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns


def noticed(status: os.stat_result) -> bool:
    """Whether a file that is observed was read."""
    return status.st_atime_ns != _UNREAD


def observable(site: Path) -> bool:
    """Whether accesses to files and folders can be seen where a folder is made.

    Not where none are noted; nor on XFS, Btrfs and their like, which copy for `cp` what it does not read.
    """
    file, copy = site / "file", site / "copy"
    try:
        site.mkdir()
        file.write_bytes(b"x")
        for path in (file, site):
            os.utime(path, ns=(_UNREAD, _LAID_OUT))
        file.read_bytes()
        os.listdir(site)  # noqa: PTH208 - nothing else may be asked
        seen = [noticed(os.lstat(path)) for path in (file, site)]
        seen += [_noticed_by(copying, file, copy) for copying in (_clone, _copy_range)]
        for path in (file, copy):
            path.unlink()
        site.rmdir()
    except OSError:
        return False
    return all(seen)


def _noticed_by(copying: Callable[[int, int], object], file: Path, copy: Path) -> bool:
    """Whether a way to copy shows as an access; so it does where it does not work, for then programs read."""
    os.utime(file, ns=(_UNREAD, _LAID_OUT))
    with file.open("rb") as source, copy.open("wb") as target:
        try:
            copying(source.fileno(), target.fileno())
        except OSError:
            return True
    return noticed(os.lstat(file))


def _clone(source: int, target: int) -> None:
    fcntl.ioctl(target, _FICLONE, source)


def _copy_range(source: int, target: int) -> None:
    os.copy_file_range(source, target, 1)
