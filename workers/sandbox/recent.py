"""Recent: small inputs that job after job is given, kept in memory once they were verified."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from shared import hashing
from shared.atomic import write_all
from shared.errors import named
from shared.model.action import Input
from shared.storage.blobs import BlobStore

_LARGEST = 64 << 10  # bytes of a blob that is kept
_ALL = 64 << 20  # bytes of all that are kept
_ONCE = 1 << 17  # digests that are remembered to have been asked for


class Recent:
    """Fetches blobs, and from the second time on keeps those that are small; thread-safe.

    A header is laid out for every job of a build. Reading and hashing its blob each time costs more than to write
    it: the bytes kept here were hashed when they were read.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._once: set[str] = set()
        self._lock = threading.Lock()
        self._exact: dict[int, bool] = {}

    def lacks(self, items: Iterable[Input]) -> list[Input]:
        """The inputs whose bytes are not kept here."""
        with self._lock:
            return [item for item in items if item.hash not in self._kept]

    def fetch(self, blobs: BlobStore, item: Input, path: str) -> int:
        """As BlobStore.fetch, to a new file."""
        executable = item.mode == "exec"
        if item.size > _LARGEST:
            return blobs.fetch(item.hash, Path(path), executable=executable)
        with self._lock:
            data = self._kept.get(item.hash)
            if data is not None:
                self._kept.move_to_end(item.hash)
        if data is not None:
            self._write(path, data, 0o755 if executable else 0o644)
            return 0
        moved = blobs.fetch(item.hash, Path(path), executable=executable)
        self._note(item.hash, path)
        return moved

    def keep(self, hash_: str, data: bytes) -> None:
        """Keep verified bytes, for as long as there is room."""
        with self._lock:
            if hash_ not in self._kept:
                self._kept[hash_] = data
                self._size += len(data)
            while self._size > _ALL:
                self._size -= len(self._kept.popitem(last=False)[1])

    def _note(self, hash_: str, path: str) -> None:
        with self._lock:
            if hash_ not in self._once:
                if len(self._once) >= _ONCE:
                    self._once.clear()
                self._once.add(hash_)
                return
        with open(path, "rb") as file:  # noqa: PTH123 - as a string
            data = file.read(_LARGEST + 1)
        if len(data) <= _LARGEST and hashing.of_bytes(data) == hash_:
            self.keep(hash_, data)

    def _write(self, path: str, data: bytes, mode: int) -> None:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            try:
                # The umask stays what it is, so whether it takes anything away is found out once.
                exact = self._exact.get(mode)
                if exact is None:
                    exact = self._exact[mode] = os.fstat(fd).st_mode & 0o777 == mode
                if not exact:
                    os.fchmod(fd, mode)
                write_all(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            raise named(error, path, "writing") from error
