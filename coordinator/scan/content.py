"""Reads files to know their digest, and only believes a digest if the file held still meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from coordinator.scan.walk import unreadable
from shared import hashing
from shared.errors import LocalError

_TRIES = 8
# Reading small files is bound by the interpreter: a second thread gains nothing, and its start costs.
_WORTH_THREADS = 8 << 20

Content = tuple[str, os.stat_result]


def read(root: str, path: str) -> Content | None:
    """Digest of a file and what lstat said before and after; None if it is gone or no file any more.

    Raises UnreadableFile, and LocalError for a file that changes as often as it is read.
    """
    for _ in range(_TRIES):
        try:
            fd = os.open(f"{root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if _is_file(root, path):
                raise unreadable(error, path) from error
            return None
        try:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                return None
            hash_, size = hashing.of_descriptor(fd)
        except OSError as error:
            raise unreadable(error, path) from error
        finally:
            os.close(fd)
        # By name, not by descriptor: the file may have been replaced by another.
        try:
            after = os.lstat(f"{root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        if size == after.st_size and signature(before) == signature(after):
            return hash_, after
    raise LocalError(
        f"{path} changes while it is being read",
        at=path,
        why=f"it was read {_TRIES} times and never held still",
        fix=f'build when it is finished, or leave it out: [scan] ignore = ["/{path}"]',
    )


def read_all(root: str, paths: Sequence[str], size: int) -> list[Content | None]:
    """`read` of many files, in order; `size` is what they hold together, in bytes."""
    if len(paths) > 1 and size >= _WORTH_THREADS:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only when there is much to do

        with ThreadPoolExecutor(min(len(paths), os.cpu_count() or 1)) as pool:
            return list(pool.map(lambda path: read(root, path), paths))
    return [read(root, path) for path in paths]


def signature(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """What tells a file from the one it was."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode


def _is_file(root: str, path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(f"{root}/{path}").st_mode)
    except OSError:
        # Whatever kept us from reading it keeps us from looking at it.
        return True
