"""WorkerLink: a worker's conversation with the broker, outside of Celery. Thread-safe; nothing here waits for ever."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import redis

from shared import queue
from shared.clock import Clock
from shared.queue import Beat, Claimed, Event

CLAIM_PATIENCE = 60.0  # seconds to try to claim a batch; after that the coordinator sends it again
REPORT_PATIENCE = 2 * 3600.0  # seconds to try to report an outcome
BACK_OFF = (0.05, 0.1, 0.25, 0.5, 1.0)

# One call a batch. Said twice by the same delivery it is granted twice, so that a lost reply does no harm;
# a build that is over or cancelled grants nothing.
_CLAIM = """
if redis.call('GET', KEYS[1]) ~= 'open' then return 0 end
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 1 then
  redis.call('EXPIRE', KEYS[2], ARGV[4])
  redis.call('XADD', KEYS[3], '*', 'e', ARGV[3])
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  return 1
end
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then return 1 end
return 0
"""

_log = logging.getLogger("windrow.worker")
_T = TypeVar("_T")


class WorkerLink:
    """worker: this worker's id, unique to the process. heartbeat: seconds between calls of beat()."""

    def __init__(self, broker: str, worker: str, *, heartbeat: float, clock: Clock) -> None:
        self.worker, self.broker, self.heartbeat, self._clock = worker, broker, heartbeat, clock
        self._redis = queue.connect(broker)
        self._claim = self._redis.register_script(_CLAIM)
        self._leaving = threading.Event()

    def wait(self) -> bool:
        """Wait for the broker to answer; False when told to leave before it did."""
        told = False
        while not self._leaving.is_set():
            try:
                self._redis.ping()
            except (redis.RedisError, OSError) as error:
                if not told:
                    _log.warning("waiting for the broker at %s (%s)", queue.redacted(self.broker), error)
                told = True
                self._leaving.wait(0.5)
            else:
                return True
        return False

    def claim(self, build: str, batch: int) -> bool:
        """Whether this worker is to perform a batch; tells the coordinator so in the same breath."""
        event = queue.write_event(Claimed(batch, self.worker))
        keys = [queue.marker_key(build), queue.claims_key(build), queue.events_key(build)]
        arguments: list[bytes | str | int] = [batch, f"{self.worker}/{uuid.uuid4().hex}", event, queue.STREAM_LIFE]
        granted = self._insist(
            lambda: self._claim(keys=keys, args=arguments), CLAIM_PATIENCE, f"claiming batch {batch}"
        )
        return granted == 1

    def report(self, build: str, event: Event) -> bool:
        """Put an event into the build's stream, however long the broker is away; False when it could not be."""
        data, key = queue.write_event(event), queue.events_key(build)

        def store() -> bool:
            pipe = self._redis.pipeline(transaction=False)
            pipe.xadd(key, {"e": data})
            pipe.expire(key, queue.STREAM_LIFE)
            pipe.execute()
            return True

        return self._insist(store, REPORT_PATIENCE, f"reporting to build {build}") is True

    def beat(self, beat: Beat, builds: Sequence[str]) -> dict[str, bytes | None]:
        """Say that this worker lives; what the markers of these builds say. Raises redis errors."""
        pipe = self._redis.pipeline(transaction=False)
        life = max(1, int(queue.MISSED_BEATS * self.heartbeat * 1000))
        pipe.set(queue.worker_key(self.worker), msgspec.json.encode(beat), px=life)
        pipe.zadd(queue.WORKERS, {self.worker: self._clock.now()})
        if builds:
            pipe.mget([queue.marker_key(build) for build in builds])
        markers = pipe.execute()[2:]
        return dict(zip(builds, markers[0], strict=True)) if markers else {}

    def toolsets(self) -> list[tuple[str, ...]]:
        """The tool names that builds have asked for. Raises redis errors."""
        members: Any = self._redis.zrange(queue.TOOLSETS, 0, -1)
        return [msgspec.json.decode(member, type=tuple[str, ...]) for member in members]

    def leave(self) -> None:
        """Be gone from now on."""
        try:
            self._redis.delete(queue.worker_key(self.worker))
            self._redis.zrem(queue.WORKERS, self.worker)
        except (redis.RedisError, OSError) as error:
            _log.warning("the broker did not hear that this worker leaves (%s); it will notice by itself", error)
        self._redis.close()

    def hurry(self) -> None:
        """Stop waiting for a broker that is away."""
        self._leaving.set()

    def _insist(self, call: Callable[[], _T], patience: float, doing: str) -> _T | None:
        until, tries = self._clock.monotonic() + patience, 0
        while True:
            try:
                return call()
            except (redis.RedisError, OSError) as error:
                if self._leaving.is_set() or self._clock.monotonic() > until:
                    _log.error("gave up %s: %s", doing, error)
                    return None
                if tries == 0:
                    _log.warning("%s: the broker does not answer (%s); trying again", doing, error)
                self._leaving.wait(BACK_OFF[min(tries, len(BACK_OFF) - 1)])
                tries += 1
