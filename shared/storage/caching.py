"""A fast store on this machine in front of a slow one, filled on read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from shared.clock import Clock, SystemClock
from shared.errors import BlobMissing, DiskFull
from shared.storage.blobs import BlobInfo, BlobStore
from shared.storage.disk import DiskBlobs

# What the slow store said it has is believed this many seconds: far less than it promises to keep it.
TRUST = 600.0
_REMEMBERED = 500_000
Found = TypeVar("Found")


class CachingBlobs:
    """BlobStore: what `slow` has counts, `fast` only saves the way. A full local disk costs time, no build.

    What several threads want at once comes over once. bytes_up and bytes_down count what went to and came from the slow
    store.
    """

    def __init__(self, slow: BlobStore, fast: DiskBlobs, *, trust: float = TRUST, clock: Clock | None = None) -> None:
        self.slow, self.fast = slow, fast
        self.bytes_up = self.bytes_down = 0
        self._trust = trust
        self._clock = clock or SystemClock()
        self._present: dict[str, float] = {}
        self._coming: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def get(self, hash_: str) -> bytes:
        """See BlobStore."""
        # Not here, or damaged here: the slow one has it or says that nobody has.
        with suppress(BlobMissing):
            return self.fast.get(hash_)
        with self._way(hash_):
            with suppress(BlobMissing):  # another thread may have brought it meanwhile
                return self.fast.get(hash_)
            data = self._known(hash_, lambda: self.slow.get(hash_))
            self._count(down=len(data))
            self._fill(lambda: self.fast.put(hash_, data))
            return data

    def fetch(self, hash_: str, path: Path, *, executable: bool = False) -> int:
        """See BlobStore."""
        with suppress(BlobMissing):
            return self.fast.fetch(hash_, path, executable=executable)
        with self._way(hash_):
            with suppress(BlobMissing):  # as above
                return self.fast.fetch(hash_, path, executable=executable)
            moved = self._known(hash_, lambda: self.slow.fetch(hash_, path, executable=executable))
            self._count(down=moved)
            self._fill(lambda: self.fast.put_file(hash_, path))
            return moved

    def put(self, hash_: str, data: bytes) -> int:
        """See BlobStore."""
        # Slow first: a crash between the two must not leave a blob that only this machine can see.
        moved = self.slow.put(hash_, data)
        self._stored(hash_, moved)
        self._fill(lambda: self.fast.put(hash_, data))
        return moved

    def put_file(self, hash_: str, path: Path) -> int:
        """See BlobStore."""
        moved = self.slow.put_file(hash_, path)
        self._stored(hash_, moved)
        self._fill(lambda: self.fast.put_file(hash_, path))
        return moved

    def believes(self, hash_: str) -> bool:
        """See BlobStore."""
        return not self._unsure((hash_,))

    def find_missing(self, hashes: Iterable[str]) -> set[str]:
        """See BlobStore."""
        unsure = self._unsure(hashes)
        if not unsure:
            return unsure
        missing = self.slow.find_missing(unsure)
        self.believe(unsure - missing)
        return missing

    def far(self, hashes: Iterable[str]) -> set[str]:
        """See BlobStore."""
        return self.fast.find_missing(hashes)

    def touch(self, hashes: Iterable[str]) -> None:
        """See BlobStore."""
        used = list(hashes)
        self.slow.touch(used)
        self.fast.touch(used)

    def delete(self, hash_: str) -> None:
        """See BlobStore."""
        self.forget(hash_)
        self.fast.delete(hash_)
        self.slow.delete(hash_)

    def blobs(self) -> Iterator[BlobInfo]:
        """See BlobStore."""
        return self.slow.blobs()

    def take(self, hash_: str, data: bytes) -> None:
        """Take bytes that somebody else has just put into the slow store; BlobCorrupt when they are others."""
        self._fill(lambda: self.fast.put(hash_, data))
        self.believe((hash_,))

    def believe(self, hashes: Iterable[str]) -> None:
        """Take blobs for present in the slow store: somebody who stores there has said so."""
        now = self._clock.monotonic()
        with self._lock:
            if len(self._present) > _REMEMBERED:
                self._present.clear()
            self._present.update(dict.fromkeys(hashes, now))

    def forget(self, hash_: str) -> None:
        """Ask the slow store again the next time."""
        with self._lock:
            self._present.pop(hash_, None)

    @contextmanager
    def _way(self, hash_: str) -> Iterator[None]:
        """Go for a blob, after whoever does already; not after all who do: a store may keep each of them waiting."""
        with self._lock:
            other = self._coming.get(hash_)
            if other is None:
                mine = self._coming[hash_] = threading.Event()
        if other is not None:
            other.wait()
            yield
            return
        try:
            yield
        finally:
            with self._lock:
                del self._coming[hash_]
            mine.set()

    def _known(self, hash_: str, read: Callable[[], Found]) -> Found:
        try:
            found = read()
        except BlobMissing:
            self.forget(hash_)
            raise
        self.believe((hash_,))
        return found

    def _unsure(self, hashes: Iterable[str]) -> set[str]:
        since = self._clock.monotonic() - self._trust
        with self._lock:
            return {hash_ for hash_ in hashes if self._present.get(hash_, since) <= since}

    def _stored(self, hash_: str, moved: int) -> None:
        self.believe((hash_,))
        self._count(up=moved)

    def _count(self, *, up: int = 0, down: int = 0) -> None:
        with self._lock:
            self.bytes_up += up
            self.bytes_down += down

    def _fill(self, write: Callable[[], int]) -> None:
        try:
            write()
        except DiskFull:
            # The bytes are where they count; the next reader here goes the long way.
            return
