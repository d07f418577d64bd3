"""Composition root of `windrow worker`: values in, a running Celery worker out."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Callable, Sequence

import msgspec

from shared import queue
from shared.clock import Clock, SystemClock, iso
from shared.queue import Beat
from shared.storage.blobs import BlobStore
from shared.version import VERSION
from workers import tasks
from workers.batch import BatchRunner, Performs
from workers.consumer import CeleryConsumer, celery_worker
from workers.execute.isolation import isolation
from workers.fitness import Fitness
from workers.ledger import Ledger
from workers.link import WorkerLink
from workers.presence import Presence
from workers.stop import Stop

FINISH_SECONDS = 30.0  # that running jobs get after SIGTERM
NEUTRAL = "/"  # no folder of a user's project, and none that could vanish
# Celery would let these override the broker it is given.
_OVERRIDES = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")

_log = logging.getLogger("windrow.worker")


class WorkerOptions(msgspec.Struct, frozen=True):
    """What a worker is told. name: for people, "" for the host's; pinned: platforms served whatever the tools are."""

    broker: str
    slots: int
    heartbeat: float = 1.0
    name: str = ""
    pinned: tuple[str, ...] = ()
    finish_seconds: float = FINISH_SECONDS


def run(
    options: WorkerOptions,
    *,
    blobs: BlobStore,
    performer: Callable[[str], Performs],
    fingerprint: Callable[[Sequence[str]], str],
    clock: Clock | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. `performer` is made from this worker's id. All paths are absolute.

    A first signal finishes what runs, within finish_seconds, and gives back the rest; a second one kills it.
    """
    clock = clock or SystemClock()
    for name in _OVERRIDES:
        os.environ.pop(name, None)
    os.chdir(NEUTRAL)
    host = socket.gethostname()
    worker = f"{options.name or host}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    link, ledger = WorkerLink(options.broker, worker, heartbeat=options.heartbeat, clock=clock), Ledger()
    performs = performer(worker)
    stop = Stop(ledger, link, performs, options.finish_seconds)
    stop.install()
    if not link.wait():
        performs.close()
        return 0
    app = queue.celery_app(options.broker)
    about = Beat(
        id=worker,
        host=host,
        pid=os.getpid(),
        slots=options.slots,
        version=VERSION,
        started=iso(clock.now()),
        isolation=isolation(),
    )
    fitness = Fitness(fingerprint, pinned=options.pinned, clock=clock)
    controller = celery_worker(app, worker, options.slots, ledger.slotless)
    consumer = stop.consumer = CeleryConsumer(app, controller, clock)
    runner = BatchRunner(performs, link, ledger, blobs=blobs, serves=fitness.serves, room=consumer.wake, clock=clock)
    tasks.register(app, runner)
    presence = Presence(
        link,
        ledger,
        fitness,
        consumer,
        about=about,
        cancel=performs.cancel,
        die=stop.die,
        clock=clock,
    )
    presence.open()
    _log.info("worker %s serves %s with %d slots", worker, queue.redacted(options.broker), options.slots)
    try:
        controller.start()
    finally:
        ledger.stopping = True
        stop.finished()
        runner.close()
        presence.close()
        performs.close()
    return int(controller.exitcode or 0)
