"""Records swapped in Redis, for buckets that ignore conditional writes; the only store that imports redis."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared import hashing
from shared.clock import Clock, SystemClock
from shared.errors import StoreUnavailable
from shared.patience import limited, tries
from shared.settings import STORE_PATIENCE
from shared.storage import names
from shared.storage.ages import AgedRefs
from shared.storage.refs import Record
from shared.storage.swapping import moved, outrun

if TYPE_CHECKING:
    from redis import Redis

_SWAPPED = "current.json"
_CLAIM_SECONDS = 60
_SECONDS = 5.0
_PAUSES = (0.1, 0.2, 0.4, 0.8)  # seconds between tries

# KEYS[1]: the record. ARGV: expected tag or "", new tag, bytes, fence, a word of this call.
# The same call may come twice when a reply was lost: it then finds its own word.
_SWAP = """
local now = redis.call('HMGET', KEYS[1], 'tag', 'fence', 'word')
if now[3] == ARGV[5] then return {'done', ''} end
if tonumber(ARGV[4]) < tonumber(now[2] or '0') then return {'fence', now[2]} end
if (now[1] or '') ~= ARGV[1] then return {'tag', now[1] or ''} end
redis.call('HSET', KEYS[1], 'tag', ARGV[2], 'data', ARGV[3], 'fence', ARGV[4], 'word', ARGV[5])
redis.call('HDEL', KEYS[1], 'mirrored')
return {'done', ''}
"""
# Only while that record stands does its copy count as made.
_MIRRORED = """
if redis.call('HGET', KEYS[1], 'tag') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'mirrored', ARGV[1])
return 1
"""
# The copy becomes the record again after Redis lost its memory.
_RESTORE = """
if redis.call('HEXISTS', KEYS[1], 'tag') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'tag', ARGV[1], 'data', ARGV[2], 'fence', '0', 'word', '', 'mirrored', ARGV[1])
return 1
"""


class RedisRefs:
    """RefStore: `current.json` records live in Redis, all others in `inner`, which also gets a copy of each swap.

    space: names the store, so that two stores may share a broker. A record that Redis has forgotten is taken
    from its copy.
    """

    def __init__(
        self,
        url: str,
        inner: AgedRefs,
        *,
        space: str,
        clock: Clock | None = None,
        patience: float = STORE_PATIENCE,
    ) -> None:
        parts = urlsplit(url)
        self._where = f"redis://{parts.hostname}:{parts.port or 6379}{parts.path}"
        self._url, self._inner, self._space = url, inner, space
        self._clock, self._patience = clock or SystemClock(), patience
        self._redis: Redis | None = None
        self._lock = threading.Lock()

    def read(self, name: str) -> Record | None:
        """See RefStore."""
        if not _is_swapped(name):
            return self._inner.read(name)
        key = self._key(name)
        tag, data, mirrored = self._call("HMGET", key, "tag", "data", "mirrored")
        if tag is None:
            return self._restored(name)
        if mirrored != tag:
            self._mirror(name)
        return Record(data, tag.decode())

    def create(self, name: str, data: bytes) -> str | None:
        """See RefStore. One creator at a time writes; who is later finds the record."""
        if name.startswith("results/"):
            return self._inner.create(name, data)
        claim, word = f"{self._key(name)}:claim", secrets.token_hex(8)
        for pause in _PAUSES:
            if self._inner.read(name) is not None:
                return None
            if self._call("SET", claim, word, "NX", "EX", str(_CLAIM_SECONDS)):
                try:
                    return self._create_alone(name, data)
                finally:
                    self._call("DEL", claim)
            self._clock.sleep(pause)
        if self._inner.read(name) is not None:
            return None
        raise StoreUnavailable(f"another build is writing {name}", at=self._where, fix="try again in a minute")

    def swap(self, name: str, data: bytes, expected: str | None, *, fence: int = 0) -> str:
        """See RefStore."""
        tag, word = hashing.of_bytes(data), secrets.token_hex(8)
        if self.read(name) is None and expected is not None:
            raise moved(name)
        answer, detail = self._eval(_SWAP, self._key(name), expected or "", tag, data, str(fence), word)
        if answer == b"fence":
            raise outrun(name, fence, int(detail))
        if answer == b"tag":
            raise moved(name)
        try:
            self._mirror(name)
        except StoreUnavailable:
            # The swap is made and must not be reported as failed; the next reader makes the copy.
            return tag
        return tag

    def write(self, name: str, data: bytes) -> None:
        """See RefStore."""
        if _is_swapped(name):
            self._call("HSET", self._key(name), "tag", hashing.of_bytes(data), "data", data, "word", "")
            self._mirror(name)
        else:
            self._inner.write(name, data)

    def names(self, prefix: str) -> list[str]:
        """See RefStore."""
        return self._inner.names(prefix)

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """See AgedRefs."""
        return self._inner.ages(prefix)

    def delete(self, name: str) -> None:
        """See RefStore."""
        self._inner.delete(name)
        if _is_swapped(name):
            self._call("DEL", self._key(name))

    def _create_alone(self, name: str, data: bytes) -> str | None:
        if self._inner.read(name) is not None:
            return None
        if _is_swapped(name):
            answer, _ = self._eval(_SWAP, self._key(name), "", hashing.of_bytes(data), data, "0", secrets.token_hex(8))
            if answer != b"done":
                return None
        self._inner.write(name, data)
        return hashing.of_bytes(data)

    def _restored(self, name: str) -> Record | None:
        """The record from its copy; None when there is neither."""
        copy = self._inner.read(name)
        if copy is None:
            return None
        tag = hashing.of_bytes(copy.data)
        self._eval(_RESTORE, self._key(name), tag, copy.data)
        current, data = self._call("HMGET", self._key(name), "tag", "data")
        return Record(copy.data, tag) if current is None else Record(data, current.decode())

    def _mirror(self, name: str) -> None:
        """Copy the record to the inner store, until the copy is of what stands in Redis."""
        key = self._key(name)
        while True:
            tag, data = self._call("HMGET", key, "tag", "data")
            if tag is None:
                return
            self._inner.write(name, data)
            if self._eval(_MIRRORED, key, tag):
                return

    def _key(self, name: str) -> str:
        return f"windrow:refs:{self._space}:{names.check(name)}"

    def _eval(self, script: str, key: str, *words: str | bytes) -> Any:
        return self._call("EVAL", script, "1", key, *words)

    def _call(self, *words: str | bytes) -> Any:
        """One command; tried again when the connection broke, so every command here may come twice."""
        from redis.exceptions import ConnectionError as Broken  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415
        from redis.exceptions import TimeoutError as TooSlow  # noqa: PLC0415

        failure = RedisError("the broker was not asked")
        for _ in tries(self._clock, self._patience, _PAUSES):
            try:
                client: Any = self._connected()
                return client.execute_command(*words)
            except RedisError as error:
                failure = error
                if not isinstance(error, Broken | TooSlow):
                    break
        raise self._failed(failure) from failure

    def _connected(self) -> Redis:
        from redis import Redis  # noqa: PLC0415

        wait = limited(_SECONDS, self._patience)
        with self._lock:
            if self._redis is None:
                self._redis = Redis.from_url(self._url, socket_timeout=wait, socket_connect_timeout=wait)
            return self._redis

    def _failed(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"the broker {self._where} failed while it kept a record",
            at=self._where,
            why=type(error).__name__,
            fix="check that the broker can be reached: windrow doctor",
        )


def _is_swapped(name: str) -> bool:
    return name.rpartition("/")[2] == _SWAPPED
