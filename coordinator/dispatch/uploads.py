"""Uploads: has the store hold the sources that jobs read, each once a build, many at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from shared.errors import BlobCorrupt, LocalError, WindrowError
from shared.storage.blobs import BlobStore

AT_ONCE = 16


class SourceMoved(WindrowError):
    """A source changed between the scan and its upload: what was planned is no longer true."""

    code, exit_code = "W1003", 1


class _Promise:
    """That the store will hold a file; whoever waits for it keeps it, also when it is forgotten."""

    def __init__(self, hash_: str, path: str) -> None:
        self.hash, self.path, self.kept = hash_, path, Future[None]()
        self.moved = 0


class Uploads:
    """Thread-safe. root: where the paths are.

    likely: whether a path with a digest is likely to be in the store. Only then is the store asked first: a new file
    costs one request, not two, and a store does not mind being told again what it has.
    """

    def __init__(self, blobs: BlobStore, root: Path, likely: Callable[[str, str], bool]) -> None:
        self._blobs, self._root, self._likely = blobs, root, likely
        self._there: dict[str, _Promise] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self.moved = 0

    def ensure(self, needed: Mapping[str, str]) -> list[str]:
        """Have the store hold files, by digest; returns when it does, whoever of several threads sent them.

        The digests of what went over a wire for this call. Raises SourceMoved when a file no longer holds what its
        digest says.
        """
        with self._lock:
            mine = [_Promise(hash_, path) for hash_, path in needed.items() if hash_ not in self._there]
            self._there.update((one.hash, one) for one in mine)
            promises = [self._there[hash_] for hash_ in needed]
        if mine:
            self._keep(mine)
        for promise in promises:
            promise.kept.result()
        return [one.hash for one in mine if one.moved]

    def forget(self, hash_: str) -> None:
        """A blob turned out not to be there: look again before the next job that needs it."""
        with self._lock:
            self._there.pop(hash_, None)

    def close(self) -> None:
        """Nothing more is sent."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _keep(self, mine: Sequence[_Promise]) -> None:
        try:
            asked = [one.hash for one in mine if self._likely(one.path, one.hash)]
            there = set(asked) - (self._blobs.find_missing(asked) if asked else set())
            for one in mine:
                if one.hash in there:
                    one.kept.set_result(None)
            send = [one for one in mine if one.hash not in there]
            if len(send) == 1:
                self._send(send[0])
            elif send:
                for done in [self._sender().submit(self._send, one) for one in send]:
                    done.result()
        except BaseException as error:
            self._fail(mine, error)
            raise

    def _fail(self, mine: Sequence[_Promise], error: BaseException) -> None:
        """Whoever waits for what was not sent hears of it, and whoever comes later tries anew."""
        with self._lock:
            for one in mine:
                if one.kept.done():
                    continue
                one.kept.set_exception(error)
                if self._there.get(one.hash) is one:
                    del self._there[one.hash]

    def _sender(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload")
            return self._pool

    def _send(self, promise: _Promise) -> None:
        path = self._root / promise.path
        try:
            moved = self._blobs.put_file(promise.hash, path)
        except BlobCorrupt as error:
            raise SourceMoved(f"{promise.path} changed while the build ran") from error
        except LocalError as error:
            if not path.exists():
                raise SourceMoved(f"{promise.path} was deleted while the build ran") from error
            raise
        with self._lock:
            promise.moved = moved
            self.moved += moved
            # Another of the same job may have failed meanwhile, and all of them with it.
            if not promise.kept.done():
                promise.kept.set_result(None)
