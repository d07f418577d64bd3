"""What coordinator and workers share of the broker: names, messages, settings. Format: docs/design/queue.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from shared import hashing
from shared.errors import ConfigError, CorruptRecord
from shared.model.job import JobOrder, JobOutcome
from shared.patience import limited
from shared.storage.blobs import BlobStore

if TYPE_CHECKING:
    from celery import Celery
    from redis import Redis

TASK = "windrow.perform"
IDLE_QUEUE = "windrow.idle"  # what a worker consumes while it serves no platform; nobody publishes to it
PREFIX = "windrow:"  # of every Redis key

WORKERS = PREFIX + "workers"  # sorted set: worker id by time of its last heartbeat
TOOLSETS = PREFIX + "toolsets"  # sorted set: tool names as a JSON list, by time a build last asked for them
TOOLSET_LIFE = 7 * 86400  # seconds that a toolset stays known after its last build

OPEN, CANCELLED = b"open", b"cancelled"  # what a build's marker says
REVOKED = b"revoked"  # in the place of the delivery that claimed a batch: the build took it back
MARKER_LIFE = 60  # seconds that a build counts as alive after its coordinator last said so
STREAM_LIFE = 6 * 3600  # seconds that events of a build stay when nobody clears them away
MISSED_BEATS = 5  # heartbeats a worker may miss before it counts as lost

MAX_MESSAGE = 1 << 20
MAX_INLINE = 256 << 10  # bytes of orders that travel in the message itself
READ_SECONDS = 2.0  # longest blocking read; below SOCKET_TIMEOUT, or a quiet stream would look like a dead server
SOCKET_TIMEOUT = 10.0
CONNECT_TIMEOUT = 5.0


def queue_of(platform: str) -> str:
    """The Celery queue of a platform."""
    return f"windrow.{platform}"


def list_key(platform: str) -> str:
    """The Redis list behind that queue."""
    return PREFIX + queue_of(platform)


def marker_key(build: str) -> str:
    """Says whether a build is open or cancelled; missing once it is over."""
    return f"{PREFIX}build:{build}"


def builds_key(place: str) -> str:
    """Set: the builds of a project and branch that began to have jobs performed and have not ended."""
    return f"{PREFIX}builds:{place}"


def events_key(build: str) -> str:
    """The stream on which workers tell a build what happened."""
    return f"{PREFIX}build:{build}:events"


def claims_key(build: str) -> str:
    """Hash: batch to the delivery that may perform it."""
    return f"{PREFIX}build:{build}:claims"


def worker_key(worker: str) -> str:
    """A worker's last heartbeat; gone once it missed MISSED_BEATS."""
    return f"{PREFIX}worker:{worker}"


def pack(
    orders: Sequence[JobOrder], *, build: str, batch: int, budget: float, blobs: BlobStore
) -> tuple[dict[str, Any], str]:
    """The task's arguments for a batch, to be read by envelope.py.

    Orders beyond MAX_INLINE leave behind the files that they carry; what is still too long is stored as a blob
    (StoreUnavailable).
    """
    data = msgspec.json.encode(orders)
    if len(data) > MAX_INLINE and any(order.carried for order in orders):
        data = msgspec.json.encode([msgspec.structs.replace(order, carried={}) for order in orders])
    envelope: dict[str, Any] = {
        "schema": "windrow.orders/1",
        "build": build,
        "batch": batch,
        "platform": orders[0].action.platform,
        "budget": budget,
    }
    if len(data) <= MAX_INLINE:
        return envelope, data.decode()
    envelope["blob"] = hashing.of_bytes(data)
    blobs.put(envelope["blob"], data)
    return envelope, ""


class Claimed(msgspec.Struct, frozen=True, tag="claimed", tag_field="event"):
    """A worker performs a batch from now on."""

    batch: int
    worker: str


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="event"):
    """Outcomes of jobs of a batch."""

    batch: int
    outcomes: tuple[JobOutcome, ...]


class Returned(msgspec.Struct, frozen=True, tag="returned", tag_field="event"):
    """Jobs of a batch that were not begun."""

    batch: int
    jobs: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="event"):
    """A batch whose orders the worker could not get or read."""

    batch: int
    worker: str
    message: str


class Closing(msgspec.Struct, frozen=True, tag="closing", tag_field="event"):
    """Written by the coordinator to end its own blocking read."""


Event = Claimed | Ended | Returned | Refused | Closing
_EVENT = msgspec.json.Decoder(Event)


def write_event(event: Event) -> bytes:
    """An event as it goes into the stream, under the field `e`."""
    return msgspec.json.encode(event)


def read_event(data: bytes) -> Event:
    """An event of a stream; CorruptRecord when it is none."""
    try:
        event: Event = _EVENT.decode(data)
    except msgspec.MsgspecError as error:
        raise CorruptRecord("an event of the build's stream cannot be read", why=str(error)) from error
    return event


class Running(msgspec.Struct, frozen=True, array_like=True):
    """A batch under way on a worker, how many of its jobs are left, and the one running now."""

    build: str
    batch: int
    left: int = 0
    job: str = ""
    attempt: int = 0


class Beat(msgspec.Struct, frozen=True):
    """A worker's heartbeat. platforms: what it serves; unfit: tool names to why it cannot; started: ISO time.

    isolation: how trees appear at their own paths there, see docs/design/rooted-jobs.md.
    """

    id: str
    host: str
    pid: int
    slots: int
    version: str
    started: str
    platforms: tuple[str, ...] = ()
    unfit: dict[str, str] = {}
    running: tuple[Running, ...] = ()
    stopping: bool = False
    isolation: str = ""


_BEAT = msgspec.json.Decoder(Beat)


def read_beats(values: Iterable[bytes | None]) -> list[Beat]:
    """The heartbeats among these values; one that cannot be read (another version's) counts as none."""
    beats = []
    for value in values:
        if value is not None:
            try:
                beats.append(_BEAT.decode(value))
            except msgspec.MsgspecError:
                continue
    return beats


def toolset(tools: Sequence[str]) -> str:
    """The member of TOOLSETS for these tool names."""
    return msgspec.json.encode(list(tools)).decode()


def connect(broker: str, patience: float = SOCKET_TIMEOUT) -> Redis:
    """A client of the broker: every call ends in time, and none is sent twice unseen. ConfigError for a bad URL.

    patience: seconds that who calls will wait for an answer; a call takes no longer.
    """
    import redis  # noqa: PLC0415 - a build without a farm never loads it
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    check_url(broker)
    return redis.Redis.from_url(  # type: ignore[no-any-return, unused-ignore]
        broker,
        socket_timeout=limited(SOCKET_TIMEOUT, patience),
        socket_connect_timeout=limited(CONNECT_TIMEOUT, patience),
        socket_keepalive=True,
        health_check_interval=5,
        retry=Retry(NoBackoff(), 0),
    )


def check_url(broker: str) -> None:
    """ConfigError unless this is a broker's URL."""
    try:
        parts = urlsplit(broker)
        good = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"not a broker's URL: {redacted(broker)!r}", at="farm.broker", fix="write redis://host:port/db"
        )


def redacted(broker: str) -> str:
    """The URL without its password, for people to read."""
    head, separator, rest = broker.partition("://")
    if "@" not in rest:
        return broker
    user = rest.rpartition("@")[0].partition(":")[0]
    return f"{head}{separator}{user}:***@{rest.rpartition('@')[2]}"


def celery_app(broker: str, patience: float = SOCKET_TIMEOUT) -> Celery:
    """The Celery application of both ends; `patience` as in connect().

    Celery only carries messages: what is lost, the coordinator sends again.
    """
    from celery import Celery  # noqa: PLC0415

    check_url(broker)
    # No fixups: Celery's one for Django would put the current directory on the path.
    app = Celery("windrow", broker=broker, set_as_current=False, loader="app", fixups=[])
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_publish_retry=False,
        task_send_sent_event=False,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=IDLE_QUEUE,
        task_default_exchange="",
        task_default_routing_key=IDLE_QUEUE,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_prefetch_count_reduction=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A broker that is full, or may not write for a while, must not end every worker.
        broker_channel_error_retry=True,
        broker_pool_limit=4,
        broker_transport_options={
            "ack_emulation": False,
            "priority_steps": [0],
            "global_keyprefix": PREFIX,
            "socket_keepalive": True,
            "health_check_interval": 5,
            "socket_timeout": limited(SOCKET_TIMEOUT, patience),
            "socket_connect_timeout": limited(CONNECT_TIMEOUT, patience),
            # Never retry_on_timeout: it runs tasks twice and turns producer.batch() off.
        },
    )
    return app
