"""Fetcher: lays out the inputs of jobs; what must come over a wire many at a time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from shared.errors import BlobMissing, StoreUnavailable
from shared.model.action import Input
from shared.storage.blobs import BlobStore
from shared.storage.carried import honest
from workers.sandbox.recent import Recent

AT_ONCE = 16  # of all jobs of a worker


class InputsMissing(Exception):
    """Blobs of these digests are not in the store, or are damaged."""

    def __init__(self, hashes: tuple[str, ...]) -> None:
        super().__init__(", ".join(hashes))
        self.hashes = hashes


class Fetcher:
    """Thread-safe. No thread is started before something must come from afar."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs, self._recent = blobs, Recent()
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def fetch(self, files: list[Input], tree: Path) -> int:
        """Fetch inputs to new files of a tree; bytes moved from afar. InputsMissing names every blob that is not there.

        What was fetched is taken off the list: it may be called again with the rest after a store failed.
        """
        moved = self._from_afar(files, tree)
        missing: set[str] = set()
        while files:
            item = files[-1]
            if item.hash not in missing:
                try:
                    moved += self._one(item, tree)
                except BlobMissing as error:
                    if not missing:
                        missing |= self._blobs.find_missing({other.hash for other in files})
                    missing.add(error.hash)
            files.pop()
        if missing:
            raise InputsMissing(tuple(sorted(missing)))
        return moved

    def keep(self, carried: Mapping[str, bytes]) -> None:
        """Take on files that came with an order, by digest."""
        for hash_, data in honest(carried).items():
            self._recent.keep(hash_, data)

    def close(self) -> None:
        """End the threads."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _from_afar(self, files: list[Input], tree: Path) -> int:
        """Fetch what is not on this machine; what is missing stays in the list, to be told with the rest."""
        unknown = {item.hash: item for item in self._recent.lacks(files)}
        far = self._blobs.far(unknown) if len(unknown) > 1 else set()
        if len(far) < 2:
            return 0
        pool = self._threads()
        # One for each digest: whoever needs it as well finds it here afterwards.
        coming = {pool.submit(self._one, unknown[hash_], tree): unknown[hash_] for hash_ in far}
        wait(coming)
        moved = 0
        failure: BaseException | None = None
        done: set[str] = set()
        for future, item in coming.items():
            error = future.exception()
            if error is None:
                moved += future.result()
                done.add(item.path)
            elif not isinstance(error, BlobMissing):
                failure = failure or error
        files[:] = [item for item in files if item.path not in done]
        if failure is not None:
            raise failure
        return moved

    def _one(self, item: Input, tree: Path) -> int:
        path = f"{tree}/{item.path}"
        try:
            return self._recent.fetch(self._blobs, item, path)
        except StoreUnavailable:
            Path(path).unlink(missing_ok=True)
            raise

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch")
            return self._pool
