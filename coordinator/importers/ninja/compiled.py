"""A parsed build.ninja kept in a file, for as long as none of the files it was read from changes.

See docs/design/ninja-language.md. Losing it costs one parse, so whatever is wrong with it is no error.
"""

from __future__ import annotations

import functools
import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from coordinator.importers.ninja.aliases import Alias, alias_in
from coordinator.importers.ninja.edges import Statements
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.parser import read_by
from shared.atomic import write_atomic
from shared.errors import LocalError
from shared.uncollected import uncollected

# Changes whenever the parser or the values do.
_SCHEMA = b"windrow.ninja/2\n"
_LENGTH = struct.Struct(">Q")  # of the head, which stands between it and the statements
# Nanoseconds for which a file could be changed again without a trace, on the coarsest of file systems. Looking
# twice at one that was not costs 0.6 ms a megabyte.
_RACY_NS = 2_000_000_000


class _Signature(msgspec.Struct, frozen=True, array_like=True):
    """A file when it was read; racy: it had been changed so shortly before that its times prove nothing."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    racy: bool
    sha256: bytes


class _Head(msgspec.Struct, frozen=True, array_like=True):
    path: str
    files: list[_Signature]
    alias: Alias | None = None


class _Kept(NamedTuple):
    head: _Head
    statements: memoryview | bytes


def load(path: Path, cache_file: Path, *, folder: Path | None = None, write: bool = True) -> Manifest:
    """What parser.read() gives, out of cache_file if it can be; GraphError and LocalError as there.

    write: keep what had to be parsed. A cache that cannot be written is none.
    """
    path, folder = path.absolute(), folder or path.absolute().parent
    kept = _kept(cache_file, path)
    if kept is not None:
        now = functools.cache(lambda: _now(cache_file.parent))
        files = [_same(one, now) for one in kept.head.files]
        manifest = _manifest(kept.statements) if all(files) else None
        if manifest is not None:
            if write and files != kept.head.files:
                _write(cache_file, _Head(str(path), [one for one in files if one], kept.head.alias), kept.statements)
            return manifest
    return _parsed(path, folder, cache_file, write=write)


def _parsed(path: Path, folder: Path, cache_file: Path, *, write: bool) -> Manifest:
    now = _now(cache_file.parent) if write else 0
    files: list[_Signature] = []
    alias: Alias | None = None

    def read_bytes(file: Path) -> bytes:
        nonlocal alias
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())  # before: a file that is changed meanwhile has another one then
            data = opened.read()
        if write:
            files.append(_signature(str(file), status, hashlib.sha256(data).digest(), now))
        if file == path:
            alias = alias_in(data, folder)
        return data if alias is None else alias.resolved(data)

    manifest = read_by(path, read_bytes, folder)
    if write:
        try:
            statements = msgspec.msgpack.encode(manifest.statements())
        except UnicodeEncodeError:  # text that is no UTF-8 cannot be kept as text
            return manifest
        _write(cache_file, _Head(str(path), files, alias), statements)
    return manifest


def _kept(cache_file: Path, path: Path) -> _Kept | None:
    try:
        data = memoryview(cache_file.read_bytes())
        if data[: len(_SCHEMA)] != _SCHEMA:
            return None
        begin = len(_SCHEMA) + _LENGTH.size
        (length,) = _LENGTH.unpack_from(data, len(_SCHEMA))
        head = msgspec.msgpack.decode(data[begin : begin + length], type=_Head)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, struct.error):
        return None
    if head.path != str(path) or not head.files or (head.alias is not None and not head.alias.holds):
        return None
    return _Kept(head, data[begin + length :])


def _manifest(statements: memoryview | bytes) -> Manifest | None:
    try:
        with uncollected():
            return Manifest(msgspec.msgpack.decode(statements, type=Statements))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _write(cache_file: Path, head: _Head, statements: memoryview | bytes) -> None:
    try:
        told = msgspec.msgpack.encode(head)
        data = b"".join((_SCHEMA, _LENGTH.pack(len(told)), told, statements))
        write_atomic(cache_file, data, durable=False)
    except (LocalError, UnicodeEncodeError):
        return


def _same(kept: _Signature, now: Callable[[], int]) -> _Signature | None:
    """The signature of a file whose bytes are what they were; None if they are not."""
    try:
        status = os.stat(kept.path)  # noqa: PTH116 - what Path.stat calls, without making a Path
        times = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if not kept.racy and times == (kept.size, kept.mtime_ns, kept.ctime_ns, kept.inode):
            return kept
        if status.st_size != kept.size:
            return None
        fresh = _signature(kept.path, status, kept.sha256, now())
        data = Path(kept.path).read_bytes()
    except OSError:
        return None
    return fresh if hashlib.sha256(data).digest() == kept.sha256 else None


def _signature(path: str, status: os.stat_result, sha256: bytes, now: int) -> _Signature:
    """now: the time of the file system before the file was read."""
    racy = max(status.st_mtime_ns, status.st_ctime_ns) > now - _RACY_NS
    return _Signature(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, racy, sha256)


def _now(folder: Path) -> int:
    """The time of the file system in nanoseconds; 1, at which every file is from the future, if it cannot be asked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return 1
    try:
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)
