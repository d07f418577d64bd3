"""Blobs in a local directory: two-level fan-out, read-only files, verified on the way in and out."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared import atomic, hashing
from shared.clock import Clock, SystemClock
from shared.errors import BlobCorrupt, BlobMissing, LocalError, named
from shared.storage import names
from shared.storage.blobs import BlobInfo

WINDOW = 14 * 86400.0
TEMPORARY = ".tmp"
_CHUNK = 1 << 20
_FIRST = 1 << 16  # as in shared/hashing.py
_MODE = 0o444


class DiskBlobs:
    """BlobStore under `root/blobs`; `afar` says that the directory counts as another place in the byte counts.

    window: seconds a used blob is promised to stay; one found older than half of that counts as used again.
    Nothing is synced: a blob torn by a power cut does not hash to its name, so it is never served.
    """

    def __init__(self, root: Path, *, afar: bool = False, window: float = WINDOW, clock: Clock | None = None) -> None:
        self.root = root
        self._window = window
        self._afar = afar
        self._clock = clock or SystemClock()
        self._prepared = False
        self._lock = threading.Lock()

    def path(self, hash_: str) -> Path:
        """Where a blob lies, if it is there; ValueError if it is no digest."""
        return self.root / names.blob_name(hash_)

    def get(self, hash_: str) -> bytes:
        """See BlobStore."""
        path = self.path(hash_)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise BlobMissing(hash_) from error
        except OSError as error:
            raise named(error, path, "reading") from error
        if hashing.of_bytes(data) != hash_:
            self._set_aside(hash_)
            raise BlobCorrupt(hash_)
        return data

    def fetch(self, hash_: str, path: Path, *, executable: bool = False) -> int:
        """See BlobStore. The bytes written are the bytes hashed, so a blob that changes meanwhile is caught too."""
        source = self.path(hash_)
        try:
            reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobMissing(hash_) from error
        except OSError as error:
            raise named(error, source, "reading") from error
        try:
            written = os.fstat(reader).st_mtime
            found, size = _copy(reader, source, path, 0o755 if executable else 0o644)
        finally:
            os.close(reader)
        if found != hash_:
            atomic.discard(path)
            self._set_aside(hash_)
            raise BlobCorrupt(hash_)
        if written < self._clock.now() - self._window / 2:
            self.touch((hash_,))
        return size if self._afar else 0

    def put(self, hash_: str, data: bytes) -> int:
        """See BlobStore."""
        if hashing.of_bytes(data) != hash_:
            raise BlobCorrupt(hash_)
        path = self.path(hash_)
        if self._holds(path, hash_, len(data)):
            return 0
        temporary = self._temporary(path)
        try:
            descriptor = atomic.create(temporary, _MODE)
            try:
                atomic.write_all(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            atomic.discard(temporary)
            raise named(error, path, "writing") from error
        except BaseException:
            atomic.discard(temporary)
            raise
        self._place(temporary, path)
        return len(data) if self._afar else 0

    def put_file(self, hash_: str, path: Path) -> int:
        """See BlobStore."""
        target = self.path(hash_)
        reader = open_regular(path)
        try:
            size = os.fstat(reader).st_size
            if self._holds(target, hash_, size):
                if hashing.of_descriptor(reader) != (hash_, size):
                    raise BlobCorrupt(hash_)
                return 0
            temporary = self._temporary(target)
            found, size = _copy(reader, path, temporary, _MODE)
        finally:
            os.close(reader)
        if found != hash_:
            atomic.discard(temporary)
            raise BlobCorrupt(hash_)
        self._place(temporary, target)
        return size if self._afar else 0

    def find_missing(self, hashes: Iterable[str]) -> set[str]:
        """See BlobStore."""
        # A build with nothing to do spends much of its time here: names are strings, and the time is asked once.
        root, stale = str(self.root), self._clock.now() - self._window / 2
        return {hash_ for hash_ in hashes if not self._seems_there(hash_, f"{root}/{names.blob_name(hash_)}", stale)}

    def believes(self, _hash: str) -> bool:
        """See BlobStore."""
        return False

    def far(self, _hashes: Iterable[str]) -> set[str]:
        """See BlobStore."""
        return set()

    def touch(self, hashes: Iterable[str]) -> None:
        """See BlobStore."""
        # The store's own clock, not the system's: the age is told by the same one.
        now = self._clock.now()
        for hash_ in hashes:
            path = self.path(hash_)
            try:
                os.utime(path, (now, now))
            except FileNotFoundError:
                continue
            except PermissionError:
                # Only its owner may set the times of a file, and this may be a folder of several users.
                self._renew(hash_, path, now)
            except OSError as error:
                raise named(error, path, "writing") from error

    def delete(self, hash_: str) -> None:
        """See BlobStore."""
        path = self.path(hash_)
        try:
            atomic.discard(path)
        except OSError as error:
            raise named(error, path, "writing") from error

    def blobs(self) -> Iterator[BlobInfo]:
        """See BlobStore."""
        now = self._clock.now()
        for folder in _folders(self.root / "blobs"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    hash_ = names.blob_of(entry.name)
                    if hash_ is None:
                        continue
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield BlobInfo(hash_, status.st_size, max(0.0, now - status.st_mtime))

    def _seems_there(self, hash_: str, path: str, stale: float) -> bool:
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise named(error, path, "reading") from error
        # What a power cut leaves of a blob is most often an empty file.
        if not stat.S_ISREG(status.st_mode) or (status.st_size == 0 and hash_ != hashing.EMPTY):
            return False
        if status.st_mtime < stale:
            self.touch((hash_,))
        return True

    def _holds(self, path: Path, hash_: str, size: int) -> bool:
        """Whether a blob is there and whole; notes the use of it."""
        try:
            if path.stat().st_size != size or hashing.of_file(path)[0] != hash_:
                return False
        except OSError:
            # Whatever keeps it from being read, it is written again, which says what is wrong.
            return False
        self.touch((hash_,))
        return True

    def _renew(self, hash_: str, path: Path, now: float) -> None:
        """Put a copy of our own in the place of an ageing blob."""
        try:
            reader = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            raise named(error, path, "reading") from error
        try:
            if os.fstat(reader).st_mtime >= now - self._window / 2:
                return
            temporary = self._temporary(path)
            found, _ = _copy(reader, path, temporary, _MODE)
        finally:
            os.close(reader)
        if found == hash_:
            self._place(temporary, path)
        else:
            # Damaged, as its next reader will find.
            atomic.discard(temporary)

    def _temporary(self, path: Path) -> Path:
        folder = self.root / TEMPORARY
        # The folder may be deleted under a running process: that costs time only.
        if not self._prepared or not folder.is_dir():
            with self._lock:
                atomic.make_folder(folder, durable=False)
                atomic.sweep(folder)
                self._prepared = True
        return folder / atomic.temporary_name(path.name)

    def _place(self, temporary: Path, path: Path) -> None:
        now = self._clock.now()
        try:
            os.utime(temporary, (now, now))
            try:
                temporary.rename(path)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.rename(path)
        except OSError as error:
            atomic.discard(temporary)
            raise named(error, path, "writing") from error

    def _set_aside(self, hash_: str) -> None:
        """Take a damaged blob away, unless a whole one has replaced it meanwhile."""
        path = self.path(hash_)
        aside = self._temporary(path)
        try:
            path.rename(aside)
            if hashing.of_file(aside)[0] == hash_:
                aside.rename(path)
            else:
                atomic.discard(aside)
        except FileNotFoundError:
            return
        except OSError as error:
            raise named(error, path, "writing") from error


def open_regular(path: Path) -> int:
    """A descriptor to read a regular file; LocalError for anything else, without waiting on a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise named(error, path, "reading") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LocalError(f"{path} is not a regular file", at=str(path))
    return descriptor


def _copy(reader: int, source: Path, target: Path, mode: int) -> tuple[str, int]:
    """Copy to a new file; digest and size of what was written. On an error there is no such file."""
    hasher = hashing.Hasher()
    try:
        writer = atomic.create(target, mode)
    except OSError as error:
        raise named(error, target, "writing") from error
    try:
        while chunk := _read(reader, source, _CHUNK if hasher.size else _FIRST):
            hasher.update(chunk)
            atomic.write_all(writer, chunk)
    except OSError as error:
        atomic.discard(target)
        raise named(error, target, "writing") from error
    except BaseException:
        atomic.discard(target)
        raise
    finally:
        os.close(writer)
    return hasher.digest(), hasher.size


def _read(reader: int, source: Path, most: int) -> bytes:
    try:
        return os.read(reader, most)
    except OSError as error:
        raise named(error, source, "reading") from error


def _folders(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
