"""Reading what a job wrote, trusting none of it: no symlink is followed, nothing but plain files is taken."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared import hashing
from shared.errors import named
from shared.model.action import Output
from workers.sandbox.broken import Broken

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_KINDS = (
    (stat.S_ISLNK, "a symlink"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


class Found:
    """An output's digest, size and kind, and its identity on the file system."""

    def __init__(self, output: Output, status: os.stat_result) -> None:
        self.output, self.identity, self.links = output, (status.st_dev, status.st_ino), status.st_nlink


def collect(tree: Path, paths: Sequence[str]) -> tuple[Output, ...]:
    """The declared outputs as they stand; Broken names all that are missing, or the first that cannot be taken."""
    missing: list[str] = []
    found: list[Found] = []
    for path in paths:
        try:
            with opened(tree, path) as fd:
                status = os.fstat(fd)
                hash_, size = hashing.of_descriptor(fd)
        except FileNotFoundError:
            missing.append(path)
            continue
        found.append(Found(Output(path, hash_, size, "exec" if status.st_mode & 0o111 else "file"), status))
    if missing:
        raise Broken(f"it did not write its declared output{'s' if len(missing) > 1 else ''} {', '.join(missing)}")
    _refuse_outside_links(found)
    return tuple(item.output for item in found)


def read(tree: Path, path: str, limit: int) -> bytes | None:
    """The bytes of a file in the tree; None if there is none. Broken if it is longer than `limit` bytes."""
    try:
        with opened(tree, path) as fd:
            size = os.fstat(fd).st_size
            if size > limit:
                raise Broken(f"{path} is longer than {limit:,} bytes")
            # A reader of `limit` bytes would have as many set aside for each small file.
            pieces = []
            while piece := os.read(fd, size + 1):
                pieces.append(piece)
            return b"".join(pieces)
    except FileNotFoundError:
        return None


@contextmanager
def opened(tree: Path, path: str) -> Iterator[int]:
    """A plain file of the tree, open for reading; FileNotFoundError, or Broken when it is anything else."""
    try:
        with parent_of(tree, path) as (folder, name):
            if folder is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            _refuse_kind(path, status)
            fd = _open_file(folder, name, path)
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
        raise named(error, tree / path, "reading") from error
    try:
        # What was looked at must be what was opened.
        _refuse_kind(path, os.fstat(fd))
        yield fd
    finally:
        os.close(fd)


@contextmanager
def parent_of(tree: Path, path: str) -> Iterator[tuple[int | None, str]]:
    """The folder of a path of the tree, open, and its name in there; None if there is no such folder."""
    *parents, name = path.split("/")
    folder = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for depth, part in enumerate(parents, 1):
            try:
                below = _enter(folder, part, "/".join(parents[:depth]), path)
            except FileNotFoundError:
                yield None, name
                return
            os.close(folder)
            folder = below
        yield folder, name
    finally:
        os.close(folder)


def _enter(folder: int, part: str, so_far: str, path: str) -> int:
    try:
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise Broken(f"{so_far}, the folder of its output {path}, is no folder any more") from error
        if error.errno == errno.EACCES:
            raise Broken(f"it left {so_far}, the folder of its output {path}, unreadable") from error
        raise


def _open_file(folder: int, name: str, path: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except PermissionError as error:
        raise Broken(f"it left its output {path} unreadable") from error


def _refuse_kind(path: str, status: os.stat_result) -> None:
    for is_kind, kind in _KINDS:
        if is_kind(status.st_mode):
            raise Broken(f"its output {path} is {kind}; only plain files can be outputs")
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise Broken(f"its output {path} has the setuid or setgid bit")


def _refuse_outside_links(found: list[Found]) -> None:
    # Outputs may be hard links of one another; a link from elsewhere could change the bytes later.
    for item in found:
        if item.links > sum(other.identity == item.identity for other in found):
            raise Broken(f"its output {item.output.path} has another hard link; copy it instead")
