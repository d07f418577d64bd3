"""The fast path of a scan: which files need no hashing, by what the file system says of them.

Kept in `.windrow/stat.msgpack`; a cache of this machine, never shared and never the truth. Format:
docs/design/stat-cache.md.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec

from shared.errors import LocalError

SCHEMA = "windrow.stat/1"
_MARGIN = 10_000_000  # nanoseconds: no kernel's clock for files ticks more coarsely
_COARSE_MARGIN = 2_000_000_000  # FAT counts in steps of two seconds
_SECOND = 1_000_000_000
_NAMELESS_REFUSED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
_SPARE = 64  # entries of deleted files that may stay


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A file as it was when it was hashed: lstat's fields (times in nanoseconds), digest, and category.

    racy: it had been changed so shortly before that another change could have left the same times.
    category is empty for an output.
    """

    size: int
    mtime: int
    ctime: int
    inode: int
    mode: int
    hash: str
    racy: bool
    category: str

    def is_of(self, status: os.stat_result) -> bool:
        """Whether nothing about a file has changed."""
        return (
            self.mtime == status.st_mtime_ns
            and self.ctime == status.st_ctime_ns
            and self.size == status.st_size
            and self.inode == status.st_ino
            and self.mode == status.st_mode
        )


class _Stored(msgspec.Struct, frozen=True):
    schema: str
    categories: str
    entries: dict[str, Entry]


class StatCache:
    """What the last scan knew; `categories` names the settings that its categories were found with."""

    def __init__(self, path: Path, entries: dict[str, Entry], categories: str = "", warning: str = "") -> None:
        self.path, self.entries, self.categories, self.warning = path, entries, categories, warning

    @classmethod
    def load(cls, path: Path) -> StatCache:
        """The cache in a file; an empty one, with a warning, if it is damaged or of another version."""
        try:
            stored = msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            return cls(path, {})
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return cls(path, {}, warning=f"{path.name} cannot be read, so every file is hashed: {error}")
        if stored.schema != SCHEMA:
            return cls(
                path, {}, warning=f"{path.name} is of another version ({stored.schema}), so every file is hashed"
            )
        return cls(path, stored.entries, stored.categories)

    def save(self, entries: dict[str, Entry], categories: str) -> str:
        """Write what is known now, if it differs; a warning if that could not be done."""
        if categories == self.categories and self._says(entries):
            return ""
        from shared.atomic import write_atomic  # noqa: PLC0415 - not needed when nothing changed

        data = msgspec.msgpack.encode(_Stored(SCHEMA, categories, entries))
        try:
            write_atomic(self.path, data, durable=False)
        except LocalError as error:
            return f"the next scan will be slow: {error.what}"
        self.entries, self.categories = entries, categories
        return ""

    def _says(self, entries: dict[str, Entry]) -> bool:
        """Whether the file holds all of this; that it holds a little more does no harm."""
        known = self.entries
        if len(known) - len(entries) > max(_SPARE, len(entries) // 10):
            return False
        return all(known.get(path) == entry for path, entry in entries.items())


class FileSystemNow:
    """The time as the file system tells it, which is not the clock's: that of a file just written."""

    def __init__(self, folder: Path) -> None:
        self.now: int | None = None
        self.device = 0
        self.margin = _MARGIN
        try:
            status = _just_written(folder)
        except OSError as error:
            self.warning = (
                f"every file counts as just changed: nothing can be written in {folder.name} ({error.strerror})"
            )
            return
        self.warning = ""
        self.now, self.device = status.st_mtime_ns, status.st_dev
        if status.st_mtime_ns % _SECOND == 0 and status.st_ctime_ns % _SECOND == 0:
            self.margin = _COARSE_MARGIN

    def racy(self, status: os.stat_result, *, since: int = 0) -> bool:
        """Whether a file was changed so lately (or in the future) that its times may not show the next change.

        since: how many nanoseconds ago it was looked at, if not now.
        """
        if self.now is None:
            return True
        # Of another file system nothing is known but what its times look like.
        margin = self.margin if status.st_dev == self.device else _COARSE_MARGIN
        return max(status.st_mtime_ns, status.st_ctime_ns) + margin + since >= self.now


def _just_written(folder: Path) -> os.stat_result:
    """What the file system says of a file written now; none stays where it can do files without a name."""
    place = folder if folder.is_dir() else folder.parent
    try:
        fd = os.open(place, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _NAMELESS_REFUSED:
            raise
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "now", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.utime(fd)
        return os.fstat(fd)
    finally:
        os.close(fd)
