"""Records in a local directory: written whole, synced, and swapped under a file lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shared import atomic, hashing
from shared.clock import Clock, SystemClock
from shared.errors import StoreUnavailable, named
from shared.storage import names
from shared.storage.refs import Record
from shared.storage.swapping import refuse_swap

_GUARD = ".guard"
_GUARD_SECONDS = 20.0
_POLL = 0.002


class DiskRefs:
    """RefStore under a root; every folder has a guard file that also keeps the highest fence of each name in it."""

    def __init__(self, root: Path, *, clock: Clock | None = None) -> None:
        self.root = root
        self._clock = clock or SystemClock()
        self._swept: set[Path] = set()

    def read(self, name: str) -> Record | None:
        """See RefStore."""
        path = self._path(name)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise named(error, path, "reading") from error
        return Record(data, hashing.of_bytes(data))

    def create(self, name: str, data: bytes) -> str | None:
        """See RefStore."""
        path = self._path(name)
        if path.exists():
            return None
        with self._guarded(path, durable=_durable(name)):
            if path.exists():
                return None
            self._write(path, data, name)
        return hashing.of_bytes(data)

    def swap(self, name: str, data: bytes, expected: str | None, *, fence: int = 0) -> str:
        """See RefStore."""
        path = self._path(name)
        with self._guarded(path, durable=_durable(name)) as guard:
            fences = _fences(guard)
            last = fences.get(path.name, 0)
            current = self.read(name)
            tag = current.tag if current else None
            refuse_swap(name, current=tag, expected=expected, fence=fence, last_fence=last)
            if fence > last:
                # Before the record: a crash in between then refuses only builds that are late anyway.
                _keep_fences(guard, {**fences, path.name: fence}, path)
            self._write(path, data, name)
        return hashing.of_bytes(data)

    def write(self, name: str, data: bytes) -> None:
        """See RefStore."""
        path = self._path(name)
        with self._guarded(path, durable=_durable(name)):
            self._write(path, data, name)

    def names(self, prefix: str) -> list[str]:
        """See RefStore."""
        return sorted(self._found(prefix))

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """See AgedRefs."""
        for name in self._found(prefix):
            age = self.age(name)
            if age is not None:
                yield name, age

    def age(self, name: str) -> float | None:
        """Seconds since a record was written; None if it is not there."""
        path = self._path(name)
        try:
            return max(0.0, self._clock.now() - path.stat().st_mtime)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise named(error, path, "reading") from error

    def delete(self, name: str) -> None:
        """See RefStore."""
        path = self._path(name)
        if not path.exists():
            return
        with self._guarded(path, durable=_durable(name)):
            try:
                atomic.discard(path)
            except OSError as error:
                raise named(error, path, "writing") from error

    def _write(self, path: Path, data: bytes, name: str) -> None:
        atomic.write_atomic(path, data, durable=_durable(name), modified=self._clock.now())

    def _found(self, prefix: str) -> Iterator[str]:
        folder = self.root / names.check_prefix(prefix).rpartition("/")[0]
        for path, folders, files in os.walk(folder):
            at = Path(path).relative_to(self.root).as_posix()
            folders[:] = [one for one in folders if not one.startswith(".") and (at, one) != (".", "blobs")]
            found = (one if at == "." else f"{at}/{one}" for one in files if _shown(one))
            yield from (name for name in found if name.startswith(prefix))

    def _path(self, name: str) -> Path:
        return self.root / names.check(name)

    @contextmanager
    def _guarded(self, path: Path, *, durable: bool = True) -> Iterator[int]:
        """Alone among all processes that change records in this folder; StoreUnavailable when one does not let go."""
        atomic.make_folder(path.parent, durable=durable)
        guard = path.parent / _GUARD
        try:
            descriptor = os.open(guard, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise named(error, guard, "writing") from error
        try:
            self._wait_for(descriptor, guard)
            if path.parent not in self._swept:
                atomic.sweep(path.parent)
                self._swept.add(path.parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, guard: Path) -> None:
        deadline = self._clock.monotonic() + _GUARD_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if self._clock.monotonic() > deadline:
                    raise StoreUnavailable(
                        f"another process holds {guard}", at=str(guard), why=f"for more than {_GUARD_SECONDS:.0f} s"
                    ) from error
                self._clock.sleep(_POLL)
            except OSError as error:
                raise named(error, guard, "locking") from error
            else:
                return


def _durable(name: str) -> bool:
    """Not for results, which are a cache, nor for how a build went: torn by a power cut they count as missing."""
    kind, *place = name.split("/")
    return kind != "results" and place[2:3] != ["runs"]


def _shown(file: str) -> bool:
    return not file.startswith(".") and not atomic.is_temporary(file)


def _fences(guard: int) -> dict[str, int]:
    data = os.pread(guard, 1 << 20, 0)
    if not data:
        return {}
    try:
        return msgspec.json.decode(data, type=dict[str, int])
    except msgspec.DecodeError:
        # Torn by a power cut while a fence was raised; the compare still stands between two builds.
        return {}


def _keep_fences(guard: int, fences: dict[str, int], path: Path) -> None:
    data = msgspec.json.encode(fences)
    try:
        os.pwrite(guard, data, 0)
        os.ftruncate(guard, len(data))
        os.fsync(guard)
    except OSError as error:
        raise named(error, path, "writing") from error
