"""Blobs and records in dicts; for tests and single-process builds."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared import hashing
from shared.clock import Clock, SystemClock
from shared.errors import BlobCorrupt, BlobMissing, named
from shared.storage import names
from shared.storage.blobs import BlobInfo
from shared.storage.refs import Record
from shared.storage.swapping import refuse_swap


class MemoryBlobs:
    """BlobStore in a dict; `contents` is open to tests that damage it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.contents: dict[str, bytes] = {}
        self._used: dict[str, float] = {}
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()

    def get(self, hash_: str) -> bytes:
        """See BlobStore."""
        hashing.bare(hash_)
        with self._lock:
            data = self.contents.get(hash_)
            if data is None:
                raise BlobMissing(hash_)
            if hashing.of_bytes(data) != hash_:
                del self.contents[hash_]
                raise BlobCorrupt(hash_)
            return data

    def fetch(self, hash_: str, path: Path, *, executable: bool = False) -> int:
        """See BlobStore."""
        data = self.get(hash_)
        try:
            with path.open("xb") as file:
                file.write(data)
            path.chmod(0o755 if executable else 0o644)
        except OSError as error:
            raise named(error, path, "writing") from error
        return 0

    def put(self, hash_: str, data: bytes) -> int:
        """See BlobStore."""
        if hashing.of_bytes(data) != hash_:
            raise BlobCorrupt(hash_)
        with self._lock:
            self.contents[hash_] = bytes(data)
            self._used[hash_] = self._clock.now()
        return 0

    def put_file(self, hash_: str, path: Path) -> int:
        """See BlobStore."""
        try:
            return self.put(hash_, path.read_bytes())
        except OSError as error:
            raise named(error, path, "reading") from error

    def find_missing(self, hashes: Iterable[str]) -> set[str]:
        """See BlobStore."""
        with self._lock:
            return {hash_ for hash_ in hashes if hash_ not in self.contents}

    def believes(self, _hash: str) -> bool:
        """See BlobStore."""
        return False

    def far(self, _hashes: Iterable[str]) -> set[str]:
        """See BlobStore."""
        return set()

    def touch(self, hashes: Iterable[str]) -> None:
        """See BlobStore."""
        with self._lock:
            self._used.update((hash_, self._clock.now()) for hash_ in hashes if hash_ in self.contents)

    def delete(self, hash_: str) -> None:
        """See BlobStore."""
        with self._lock:
            self.contents.pop(hash_, None)

    def blobs(self) -> Iterator[BlobInfo]:
        """See BlobStore."""
        now = self._clock.now()
        with self._lock:
            found = [(hash_, len(data), now - self._used.get(hash_, now)) for hash_, data in self.contents.items()]
        return (BlobInfo(hash_, size, max(0.0, age)) for hash_, size, age in found)


class MemoryRefs:
    """RefStore in a dict; `contents` is open to tests that damage it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.contents: dict[str, bytes] = {}
        self._clock = clock or SystemClock()
        self._written: dict[str, float] = {}
        self._fences: dict[str, int] = {}
        self._lock = threading.Lock()

    def read(self, name: str) -> Record | None:
        """See RefStore."""
        with self._lock:
            data = self.contents.get(names.check(name))
        return None if data is None else Record(data, hashing.of_bytes(data))

    def create(self, name: str, data: bytes) -> str | None:
        """See RefStore."""
        with self._lock:
            if names.check(name) in self.contents:
                return None
            self._keep(name, data)
        return hashing.of_bytes(data)

    def swap(self, name: str, data: bytes, expected: str | None, *, fence: int = 0) -> str:
        """See RefStore."""
        with self._lock:
            current = self.contents.get(names.check(name))
            tag = None if current is None else hashing.of_bytes(current)
            refuse_swap(name, current=tag, expected=expected, fence=fence, last_fence=self._fences.get(name, 0))
            self._keep(name, data)
            self._fences[name] = fence
        return hashing.of_bytes(data)

    def write(self, name: str, data: bytes) -> None:
        """See RefStore."""
        with self._lock:
            self._keep(names.check(name), data)

    def names(self, prefix: str) -> list[str]:
        """See RefStore."""
        names.check_prefix(prefix)
        with self._lock:
            return sorted(name for name in self.contents if name.startswith(prefix))

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """See AgedRefs."""
        now = self._clock.now()
        return ((name, max(0.0, now - self._written.get(name, now))) for name in self.names(prefix))

    def _keep(self, name: str, data: bytes) -> None:
        self.contents[name] = data
        self._written[name] = self._clock.now()

    def delete(self, name: str) -> None:
        """See RefStore."""
        with self._lock:
            self.contents.pop(names.check(name), None)
