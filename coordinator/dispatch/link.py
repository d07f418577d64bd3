"""FarmLink: one build's conversation with the broker. Every call ends in time and raises BrokerUnavailable.

Publishing and reading use connections of their own, so that each may be called from a thread of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import kombu
import redis
from kombu.exceptions import KombuError

from coordinator.dispatch.delivery import Parcel
from shared import queue
from shared.errors import BrokerUnavailable
from shared.patience import limited
from shared.queue import Beat, Event
from shared.storage.blobs import BlobStore

READ_COUNT = 500  # events a read

# Drops the names of workers whose heartbeat lapsed: by that alone, for the clocks of machines may differ by hours.
# KEYS: the names, then the heartbeat of each name in ARGV.
_FORGET = """
for at, name in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[at + 1]) == 0 then redis.call('ZREM', KEYS[1], name) end
end
"""


class Farm(NamedTuple):
    """What the broker tells about the farm: live workers, lengths of queues, whether it still knew this build."""

    beats: list[Beat]
    queued: dict[str, int]
    known: bool


class FarmLink:
    """See the module; `build` names the build's keys, `place` its project and branch.

    patience: seconds that a call may take at most.
    """

    def __init__(self, broker: str, *, build: str, place: str, blobs: BlobStore, patience: float) -> None:
        self.broker, self.build, self.place, self._blobs = broker, build, place, blobs
        self._app = queue.celery_app(broker, patience)
        self._control = queue.connect(broker, patience)
        self._reader = queue.connect(broker, patience)
        self._forget = self._control.register_script(_FORGET)
        # Half, or a quiet stream would look like a dead server.
        self._longest_read = min(queue.READ_SECONDS, limited(queue.SOCKET_TIMEOUT, patience) / 2)
        self._connecting = int(limited(queue.CONNECT_TIMEOUT, patience))
        self._connection: kombu.Connection | None = None
        self._producer: kombu.Producer | None = None
        self._position, self._trimmed = b"0-0", b"0-0"
        self._queues: set[str] = set()  # that it has put messages into
        self._lives = 0  # of the stream: counts up when it is to be read anew

    def open(self, tools: Sequence[str]) -> None:
        """Mark the build as open, have it listed, and tell workers which tools to fingerprint."""
        with self._named("opening the build"):
            now = self._control.time()[0]  # the broker's: other builds go by it as well
            pipe = self._control.pipeline(transaction=False)
            pipe.set(queue.marker_key(self.build), queue.OPEN, ex=queue.MARKER_LIFE)
            pipe.sadd(queue.builds_key(self.place), self.build)
            pipe.expire(queue.builds_key(self.place), queue.STREAM_LIFE)
            pipe.zadd(queue.TOOLSETS, {queue.toolset(tools): now})
            pipe.zremrangebyscore(queue.TOOLSETS, 0, now - queue.TOOLSET_LIFE)
            pipe.execute()

    def overtake(self) -> frozenset[str]:
        """Cancel the other builds of this place that never ended; which those are.

        Who holds the build lock may say so: a build that is still listed died, or lost the lock.
        """
        with self._named("announcing the build"):
            key = queue.builds_key(self.place)
            listed: Any = self._control.smembers(key)
            others = frozenset(name.decode() for name in listed) - {self.build}
            if others:
                pipe = self._control.pipeline(transaction=False)
                # Forgotten only once cancelled: whoever dies in between leaves them to the next.
                for other in others:
                    pipe.set(queue.marker_key(other), queue.CANCELLED, ex=queue.STREAM_LIFE)
                pipe.srem(key, *others)
                pipe.execute()
            return others

    def publish(self, parcels: Iterable[Parcel], budget: float) -> None:
        """Put batches on their queues; after BrokerUnavailable any of them may have been published or not."""
        with self._named("publishing jobs"):
            try:
                producer = self._ready_producer()
                with producer.batch(100):  # type: ignore[attr-defined]  # new in kombu 5.7
                    for parcel in parcels:
                        self._publish_one(producer, parcel, budget)
            except (KombuError, redis.RedisError, OSError):
                self._drop_producer()
                raise

    def _publish_one(self, producer: kombu.Producer, parcel: Parcel, budget: float) -> None:
        args = queue.pack(parcel.orders, build=self.build, batch=parcel.batch, budget=budget, blobs=self._blobs)
        self._queues.add(queue.list_key(args[0]["platform"]))
        message: Any = self._app.amqp.create_task_message(
            str(uuid.uuid4()), queue.TASK, args=args, kwargs={}, argsrepr="-", kwargsrepr="-", ignore_result=True
        )
        producer.publish(
            message.body,
            exchange="",
            routing_key=queue.queue_of(args[0]["platform"]),
            serializer="json",
            headers=message.headers,
            retry=False,
            **message.properties,
        )

    def events(self, seconds: float) -> list[Event]:
        """What workers told since the last call, waiting at most so many seconds; also raises CorruptRecord."""
        with self._named("reading the build's events"):
            key = queue.events_key(self.build)
            life, block = self._lives, max(1, int(min(seconds, self._longest_read) * 1000))
            reply: Any = self._reader.xread({key: self._position}, count=READ_COUNT, block=block)
            entries = _entries(reply)
            if entries and life == self._lives:
                self._position = entries[-1][0]
            return [queue.read_event(fields.get(b"e", b"")) for _, fields in entries]

    def look(self, platforms: Iterable[str], tools: Sequence[str]) -> Farm:
        """See Farm; keeps the build alive, makes its marker anew if it is gone, and drops events already read."""
        with self._named("looking at the farm"):
            names = sorted(platforms)
            marker = queue.marker_key(self.build)
            pipe = self._control.pipeline(transaction=False)
            pipe.expire(marker, queue.MARKER_LIFE)
            pipe.expire(queue.builds_key(self.place), queue.STREAM_LIFE)
            pipe.zrange(queue.WORKERS, 0, -1)
            for name in names:
                pipe.llen(queue.list_key(name))
            self._bound_queues(pipe)
            known, _, workers, *lengths = pipe.execute()
            if known:
                self._trim()
            else:
                self.open(tools)
            keys = [queue.worker_key(worker.decode()) for worker in workers]
            values: Any = self._control.mget(keys) if keys else []
            gone = [at for at, value in enumerate(values) if value is None]
            if gone:
                self._forget(keys=[queue.WORKERS, *(keys[at] for at in gone)], args=[workers[at] for at in gone])
            return Farm(queue.read_beats(values), dict(zip(names, lengths, strict=False)), bool(known))

    def reread(self) -> None:
        """Read the stream from its beginning next time: the broker may have come back with an older clock."""
        self._lives += 1
        self._position = self._trimmed = b"0-0"

    def revoke(self, batches: Sequence[int]) -> list[int]:
        """Take batches back that were published; those that no worker has claimed, and none can claim now."""
        with self._named("taking jobs back"):
            key = queue.claims_key(self.build)
            pipe = self._control.pipeline(transaction=False)
            for batch in batches:
                pipe.hsetnx(key, str(batch), queue.REVOKED)
                pipe.hget(key, str(batch))
            pipe.expire(key, queue.STREAM_LIFE)
            # By what stands there, not by who wrote it: a reply may have been lost before.
            holders = pipe.execute()[1::2]
            return [batch for batch, holder in zip(batches, holders, strict=True) if holder == queue.REVOKED]

    def cancel(self) -> None:
        """Tell workers to kill what they run of this build, and to begin nothing more of it."""
        with self._named("cancelling the build"):
            self._control.set(queue.marker_key(self.build), queue.CANCELLED, ex=queue.STREAM_LIFE)

    def wake(self) -> None:
        """End a blocking read of events()."""
        with self._named("ending the build"):
            pipe = self._control.pipeline(transaction=False)
            pipe.xadd(queue.events_key(self.build), {"e": _CLOSING})
            pipe.expire(queue.events_key(self.build), queue.STREAM_LIFE)
            pipe.execute()

    def clear(self, *, keep_marker: bool) -> None:
        """Remove the build's keys; a cancelled build's marker stays, for workers that have not seen it yet."""
        with self._named("ending the build"):
            keys = [queue.events_key(self.build), queue.claims_key(self.build)]
            pipe = self._control.pipeline(transaction=False)
            pipe.delete(*keys, *([] if keep_marker else [queue.marker_key(self.build)]))
            pipe.srem(queue.builds_key(self.place), self.build)
            self._bound_queues(pipe)
            pipe.execute()

    def close(self) -> None:
        """Close the connections."""
        self._drop_producer()
        self._control.close()
        self._reader.close()
        self._app.close()

    def _bound_queues(self, pipe: Any) -> None:
        """Have the broker forget messages in time that nobody takes: their platform may be served no more."""
        for key in self._queues:
            pipe.expire(key, queue.STREAM_LIFE)

    def _trim(self) -> None:
        # Only while the broker knows the build: on one that came back empty with an older clock,
        # the position would stand beyond events that nobody has read.
        position = self._position
        if position != self._trimmed:
            self._control.xtrim(queue.events_key(self.build), minid=position.decode(), approximate=True)
            self._trimmed = position

    def _ready_producer(self) -> kombu.Producer:
        if self._producer is None:
            self._connection = self._app.connection_for_write(self.broker)
            self._connection.ensure_connection(max_retries=1, interval_start=0, timeout=self._connecting)
            self._producer = kombu.Producer(self._connection)
        return self._producer

    def _drop_producer(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            # Its server may be gone; then there is nothing left to say goodbye to.
            with suppress(KombuError, redis.RedisError, OSError):
                connection.release()

    @contextmanager
    def _named(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, KombuError, OSError) as error:
            # Kombu names its own error where Redis had one.
            reason = error.__cause__ if isinstance(error.__cause__, redis.RedisError) else error
            refused = isinstance(reason, redis.ResponseError)
            raise BrokerUnavailable(
                f"the broker {'refused' if refused else 'did not answer'} while {doing}",
                at=queue.redacted(self.broker),
                why=f"{type(reason).__name__}: {reason}",
                fix="check that it runs and can be reached: windrow doctor",
                refused=refused,
            ) from error


_CLOSING = queue.write_event(queue.Closing())


def _entries(reply: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of one stream, whichever shape the client gives (RESP2 lists, RESP3 dicts)."""
    if not reply:
        return []
    if isinstance(reply, dict):
        (entries,) = reply.values()
        found: list[tuple[bytes, dict[bytes, bytes]]] = (
            entries[0] if entries and isinstance(entries[0], list) else entries
        )
    else:
        found = reply[0][1]
    return found
