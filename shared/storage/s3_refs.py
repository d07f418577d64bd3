"""Records in an S3-compatible bucket, swapped by conditional writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from shared import hashing
from shared.clock import Clock, SystemClock
from shared.errors import StoreUnavailable
from shared.patience import tries
from shared.storage import names
from shared.storage.refs import Record
from shared.storage.s3_client import Bucket, code_of, passing, status_of
from shared.storage.swapping import moved, refuse_swap

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between tries
_FENCE = "windrow-fence"
# A result is written once a job, so by the client that costs less; a lost reply then reads as "was there".
_HOT = "results/"
_REFUSED = 412
_BUSY = 409
_GONE = 404


class S3Refs:
    """RefStore in a bucket that honours If-Match and If-None-Match. A record's tag is the digest of its bytes."""

    def __init__(self, bucket: Bucket, *, clock: Clock | None = None) -> None:
        self.bucket = bucket
        self._clock = clock or SystemClock()

    def read(self, name: str) -> Record | None:
        """See RefStore."""
        try:
            data = bytes(obstore.get(self.bucket.store, names.check(name)).bytes())
        except FileNotFoundError as error:
            if code_of(error) == "NoSuchBucket":
                raise self.bucket.failed(error, f"reading {name}") from error
            return None
        except BaseError as error:
            raise self.bucket.failed(error, f"reading {name}") from error
        return Record(data, hashing.of_bytes(data))

    def create(self, name: str, data: bytes) -> str | None:
        """See RefStore."""
        names.check(name)
        if name.startswith(_HOT):
            return self._create_fast(name, data)
        tag = hashing.of_bytes(data)
        return tag if self._put(name, data, {"IfNoneMatch": "*"}, fence=0) else None

    def swap(self, name: str, data: bytes, expected: str | None, *, fence: int = 0) -> str:
        """See RefStore."""
        current, version, last = self._current(names.check(name))
        refuse_swap(name, current=current, expected=expected, fence=fence, last_fence=last)
        condition = {"IfNoneMatch": "*"} if current is None else {"IfMatch": version}
        if not self._put(name, data, condition, fence=fence):
            raise moved(name)
        return hashing.of_bytes(data)

    def write(self, name: str, data: bytes) -> None:
        """See RefStore."""
        try:
            obstore.put(self.bucket.store, names.check(name), data, use_multipart=False)
        except (FileNotFoundError, BaseError) as error:
            raise self.bucket.failed(error, f"writing {name}") from error

    def names(self, prefix: str) -> list[str]:
        """See RefStore."""
        return sorted(name for name, _ in self.ages(prefix))

    def delete(self, name: str) -> None:
        """See RefStore."""
        try:
            obstore.delete(self.bucket.store, names.check(name))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise self.bucket.failed(error, f"deleting {name}") from error

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Names that start with a prefix, and the seconds since each was written."""
        folder = names.check_prefix(prefix).rpartition("/")[0]
        now = self._clock.now()
        try:
            for page in obstore.list(self.bucket.store, prefix=folder or None, chunk_size=1000):
                for meta in page:
                    name = meta["path"]
                    if name.startswith(prefix) and not name.startswith(names.BLOBS):
                        yield name, max(0.0, now - meta["last_modified"].timestamp())
        except BaseError as error:
            raise self.bucket.failed(error, "listing records") from error

    def _create_fast(self, name: str, data: bytes) -> str | None:
        try:
            obstore.put(self.bucket.store, name, data, mode="create")
        except (AlreadyExistsError, PreconditionError):
            return None
        except (FileNotFoundError, BaseError) as error:
            raise self.bucket.failed(error, f"writing {name}") from error
        return hashing.of_bytes(data)

    def _put(self, name: str, data: bytes, condition: dict[str, Any], *, fence: int) -> bool:
        """A conditional write, tried again while that is safe; False when the condition did not hold."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        unsure = False
        failure: BotoCoreError | ClientError | None = None
        for _ in self._tries():
            try:
                self.bucket.client.put_object(
                    Bucket=self.bucket.name,
                    Key=self.bucket.key(name),
                    Body=data,
                    Metadata={_FENCE: str(fence)},
                    **condition,
                )
            except ClientError as error:
                failure, status = error, status_of(error)
                if status in (_REFUSED, _GONE) and code_of(error) != "NoSuchBucket":
                    # After an answer that never came, what stands there may be our own write.
                    return unsure and self._holds(name, data, fence)
                if status != _BUSY and not passing(error):
                    break
                unsure = unsure or status != _BUSY
            except BotoCoreError as error:
                failure, unsure = error, True
            else:
                return True
        assert failure is not None
        if unsure and self._holds(name, data, fence):
            return True
        raise self.bucket.failed(failure, f"writing {name}") from failure

    def _tries(self) -> Iterator[None]:
        return tries(self._clock, self.bucket.patience, _PAUSES)

    def _holds(self, name: str, data: bytes, fence: int) -> bool:
        current, _, last = self._current(name)
        return current == hashing.of_bytes(data) and last == fence

    def _current(self, name: str) -> tuple[str | None, str, int]:
        """Tag, the server's version and fence of the record that stands there."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        failure: StoreUnavailable | None = None
        for _ in self._tries():
            try:
                answer = self.bucket.client.get_object(Bucket=self.bucket.name, Key=self.bucket.key(name))
                data = answer["Body"].read()
            except ClientError as error:
                if status_of(error) == _GONE and code_of(error) != "NoSuchBucket":
                    return None, "", 0
                failure = self.bucket.failed(error, f"reading {name}")
                if not passing(error):
                    raise failure from error
            except BotoCoreError as error:
                failure = self.bucket.failed(error, f"reading {name}")
            else:
                fence = answer["Metadata"].get(_FENCE, "0")
                return hashing.of_bytes(data), answer["ETag"], int(fence) if fence.isdigit() else 0
        assert failure is not None
        raise failure
