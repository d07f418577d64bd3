"""Blobs in an S3-compatible bucket, by the fast client; verified on the way in and out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from shared import atomic, hashing
from shared.clock import Clock, SystemClock
from shared.errors import BlobCorrupt, BlobMissing, named
from shared.storage import names
from shared.storage.blobs import BlobInfo
from shared.storage.disk import WINDOW, open_regular
from shared.storage.s3_client import Bucket, code_of

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta

STREAMED = 8 << 20
_ASK_FIRST = 64 << 10
_CHUNK = 1 << 20
_PARTS = 9000
_THREADS = 16
# What came over a bad wire is not what is stored: a second look before it is thrown away.
_LOOKS = 2
_REMEMBERED = 200_000


class S3Blobs:
    """BlobStore in a bucket.

    window: seconds a used blob is promised to stay. A blob found older than half of that is written anew by
    a copy onto itself when it is asked for, so collection by age (ours, or a lifecycle rule) spares it.
    """

    def __init__(self, bucket: Bucket, *, window: float = WINDOW, clock: Clock | None = None) -> None:
        self.bucket = bucket
        self._window = window
        self._clock = clock or SystemClock()
        self._written: dict[str, float] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def get(self, hash_: str) -> bytes:
        """See BlobStore."""
        data, meta = self._read(hash_)
        self._used(hash_, meta)
        return data

    def fetch(self, hash_: str, path: Path, *, executable: bool = False) -> int:
        """See BlobStore."""
        for _ in range(_LOOKS):
            meta = self._fetch(hash_, path, executable=executable)
            if meta is not None:
                self._used(hash_, meta)
                return meta["size"]
        self.delete(hash_)
        raise BlobCorrupt(hash_)

    def _fetch(self, hash_: str, path: Path, *, executable: bool) -> ObjectMeta | None:
        """What the store says of a blob that was written to a file; None, and no file, when it is another's bytes."""
        hasher = hashing.Hasher()
        answer = self._asked(hash_)
        pieces = self._pieces(hash_, answer)
        first = next(pieces)
        try:
            writer = atomic.create(path, 0o755 if executable else 0o644)
        except OSError as error:
            raise named(error, path, "writing") from error
        try:
            _write_verified(writer, path, first, pieces, hasher)
        except BaseException:
            atomic.discard(path)
            raise
        finally:
            os.close(writer)
        if hasher.digest() == hash_:
            return answer.meta
        atomic.discard(path)
        return None

    def put(self, hash_: str, data: bytes) -> int:
        """See BlobStore."""
        if hashing.of_bytes(data) != hash_:
            raise BlobCorrupt(hash_)
        if len(data) > _ASK_FIRST and self._is_fresh(hash_, len(data)):
            return 0
        if len(data) > STREAMED:
            parts = (data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK))
            self._upload(hash_, parts, len(data))
        else:
            self._upload(hash_, data, len(data))
        return len(data)

    def put_file(self, hash_: str, path: Path) -> int:
        """See BlobStore."""
        reader = open_regular(path)
        try:
            size = os.fstat(reader).st_size
            if size <= STREAMED:
                return self.put(hash_, b"".join(_read_all(reader, path)))
            if self._is_fresh(hash_, size):
                if hashing.of_descriptor(reader)[0] != hash_:
                    raise BlobCorrupt(hash_)
                return 0
            # An error out of the parts, as when they do not hash to the name, abandons the upload.
            self._upload(hash_, _verified(_read_all(reader, path), hash_), size)
        finally:
            os.close(reader)
        return size

    def find_missing(self, hashes: Iterable[str]) -> set[str]:
        """See BlobStore. What is found and ageing is written anew: who asks is about to use it."""
        asked = list(dict.fromkeys(hashes))
        present = self._each(self._renewed, asked)
        return {hash_ for hash_, there in zip(asked, present, strict=True) if not there}

    def believes(self, _hash: str) -> bool:
        """See BlobStore."""
        return False

    def far(self, hashes: Iterable[str]) -> set[str]:
        """See BlobStore."""
        return set(hashes)

    def touch(self, hashes: Iterable[str]) -> None:
        """See BlobStore."""
        now = self._clock.now()
        with self._lock:
            unsure = [one for one in dict.fromkeys(hashes) if self._ageing(now - self._written.get(one, 0.0))]
        self._each(self._renewed, unsure)

    def delete(self, hash_: str) -> None:
        """See BlobStore."""
        with self._lock:
            self._written.pop(hash_, None)
        try:
            obstore.delete(self.bucket.store, names.blob_name(hash_))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise self.bucket.failed(error, "deleting a blob") from error

    def blobs(self) -> Iterator[BlobInfo]:
        """See BlobStore."""
        now = self._clock.now()
        try:
            for page in obstore.list(self.bucket.store, prefix="blobs", chunk_size=1000):
                for meta in page:
                    hash_ = names.blob_of(meta["path"])
                    if hash_ is not None:
                        yield BlobInfo(hash_, meta["size"], max(0.0, now - meta["last_modified"].timestamp()))
        except BaseError as error:
            raise self.bucket.failed(error, "listing blobs") from error

    def _read(self, hash_: str) -> tuple[bytes, ObjectMeta]:
        """The bytes of a blob, and what the store says of it."""
        for _ in range(_LOOKS):
            answer = self._asked(hash_)
            try:
                data = bytes(answer.bytes())
            except (FileNotFoundError, BaseError) as error:
                raise self._failed(error, hash_, "reading") from error
            if hashing.of_bytes(data) == hash_:
                return data, answer.meta
        self.delete(hash_)
        raise BlobCorrupt(hash_)

    def _asked(self, hash_: str) -> GetResult:
        try:
            return obstore.get(self.bucket.store, names.blob_name(hash_))
        except (FileNotFoundError, BaseError) as error:
            raise self._failed(error, hash_, "reading") from error

    def _pieces(self, hash_: str, answer: GetResult) -> Iterator[bytes]:
        """The bytes in pieces, at least one."""
        try:
            if answer.meta["size"] <= STREAMED:
                yield bytes(answer.bytes())
            else:
                for chunk in answer.stream(min_chunk_size=_CHUNK):
                    yield bytes(chunk)
        except (FileNotFoundError, BaseError) as error:
            raise self._failed(error, hash_, "reading") from error

    def _upload(self, hash_: str, data: bytes | Iterator[bytes], size: int) -> None:
        name, whole, part = names.blob_name(hash_), isinstance(data, bytes), max(STREAMED, size // _PARTS + 1)
        store = self.bucket.uploads if size > _ASK_FIRST else self.bucket.store
        try:
            obstore.put(store, name, data, use_multipart=not whole, chunk_size=part, max_concurrency=4)
        except (FileNotFoundError, BaseError) as error:
            raise self.bucket.failed(error, "writing a blob") from error
        self._remember(hash_, self._clock.now())

    def _is_fresh(self, hash_: str, size: int) -> bool:
        """Whether a blob of this size is there and was written lately."""
        found = self._look(hash_)
        return found is not None and found[0] == size and not self._ageing(self._clock.now() - found[1])

    def _renewed(self, hash_: str) -> bool:
        """Whether a blob is there; an ageing one is written anew."""
        found = self._look(hash_)
        if found is None or (found[0] == 0 and hash_ != hashing.EMPTY):
            return False
        return not self._ageing(self._clock.now() - found[1]) or self._rewrite(hash_)

    def _used(self, hash_: str, meta: ObjectMeta) -> None:
        """Note that a blob was read: an ageing one is written anew."""
        written = meta["last_modified"].timestamp()
        self._remember(hash_, written)
        if self._ageing(self._clock.now() - written):
            self._rewrite(hash_)

    def _rewrite(self, hash_: str) -> bool:
        """Have the store note the present time for a blob; False when it is gone."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        bucket, key = self.bucket.name, self.bucket.key(names.blob_name(hash_))
        try:
            self.bucket.client.copy_object(
                Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, MetadataDirective="REPLACE"
            )
        except ClientError as error:
            if code_of(error) in ("NoSuchKey", "404"):
                return False
            if code_of(error) not in ("InvalidRequest", "NotImplemented", "501"):
                raise self.bucket.failed(error, "renewing a blob") from error
            # A store that cannot copy onto itself, or an object too large to be copied.
            data, _ = self._read(hash_)
            self._upload(hash_, data, len(data))
        except BotoCoreError as error:
            raise self.bucket.failed(error, "renewing a blob") from error
        self._remember(hash_, self._clock.now())
        return True

    def _look(self, hash_: str) -> tuple[int, float] | None:
        """Size and time of writing of a blob, asked of the store."""
        try:
            meta = obstore.head(self.bucket.store, names.blob_name(hash_))
        except FileNotFoundError:
            with self._lock:
                self._written.pop(hash_, None)
            return None
        except BaseError as error:
            raise self.bucket.failed(error, "asking for a blob") from error
        written = meta["last_modified"].timestamp()
        self._remember(hash_, written)
        return meta["size"], written

    def _ageing(self, age: float) -> bool:
        return age > self._window / 2

    def _remember(self, hash_: str, written: float) -> None:
        with self._lock:
            if len(self._written) >= _REMEMBERED:
                self._written.clear()
            self._written[hash_] = written

    def _each(self, call: Callable[[str], bool], hashes: list[str]) -> list[bool]:
        if len(hashes) < 2:
            return [call(hash_) for hash_ in hashes]
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")
        return list(self._pool.map(call, hashes))

    def _failed(self, error: Exception, hash_: str, doing: str) -> Exception:
        if isinstance(error, FileNotFoundError) and code_of(error) != "NoSuchBucket":
            with self._lock:
                self._written.pop(hash_, None)
            return BlobMissing(hash_)
        return self.bucket.failed(error, f"{doing} a blob")


def _read_all(reader: int, path: Path) -> Iterator[bytes]:
    try:
        while chunk := os.read(reader, _CHUNK):
            yield chunk
    except OSError as error:
        raise named(error, path, "reading") from error


def _verified(chunks: Iterator[bytes], hash_: str) -> Iterator[bytes]:
    """The same chunks; BlobCorrupt after the last one unless they hash to the name."""
    hasher = hashing.Hasher()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    if hasher.digest() != hash_:
        raise BlobCorrupt(hash_)


def _write_verified(writer: int, path: Path, first: bytes, rest: Iterator[bytes], hasher: hashing.Hasher) -> None:
    chunk: bytes | None = first
    while chunk is not None:
        hasher.update(chunk)
        try:
            atomic.write_all(writer, chunk)
        except OSError as error:
            raise named(error, path, "writing") from error
        chunk = next(rest, None)
