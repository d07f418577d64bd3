"""Composition root of `windrow worker`: values in, a running Celery worker out."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any

import msgspec
from celery import Celery
from celery.worker import state
from celery.worker.worker import WorkController
from kombu import Exchange, Queue

from shared import queue
from shared.clock import Clock, SystemClock, iso
from shared.queue import Beat
from shared.storage.blobs import BlobStore
from workers import tasks
from workers.batch import BatchRunner, Performs
from workers.ledger import Ledger
from workers.link import WorkerLink
from workers.presence import Presence

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
    link, ledger = WorkerLink(options.broker, worker, clock=clock), Ledger()
    performs = performer(worker)
    stop = _Stop(ledger, link, performs, options.finish_seconds)
    stop.install()
    if not link.wait():
        performs.close()
        return 0
    app = queue.celery_app(options.broker)
    about = Beat(
        id=worker, host=host, pid=os.getpid(), slots=options.slots, version=_version(), started=iso(clock.now())
    )
    presence = Presence(
        link,
        ledger,
        about=about,
        heartbeat=options.heartbeat,
        fingerprint=fingerprint,
        pinned=options.pinned,
        cancel=performs.cancel,
        die=stop.die,
        clock=clock,
    )
    runner = BatchRunner(performs, link, ledger, blobs=blobs, serves=presence.serves, clock=clock)
    tasks.register(app, runner)
    controller = _controller(app, worker, options.slots)
    consumer = CeleryConsumer(app, controller, clock)
    stop.consumer = consumer
    presence.open(consumer)
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


def _controller(app: Celery, worker: str, slots: int) -> WorkController:
    app.amqp.queues.add(_queue(queue.IDLE_QUEUE))
    return WorkController(
        app=app,
        hostname=worker,
        pool_cls="threads",
        concurrency=slots,
        loglevel="WARNING",
        queues=[queue.IDLE_QUEUE],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        task_events=False,
        optimization="fair",
    )


def _queue(name: str) -> Queue:
    # Without an exchange nothing about it is left in Redis but the list itself.
    return Queue(name, Exchange(""), routing_key=name)


class CeleryConsumer:
    """See presence.Consumer. Celery's own thread does the work, for its consumer may be used from no other."""

    def __init__(self, app: Celery, controller: Any, clock: Clock) -> None:
        self._app, self._controller, self._clock = app, controller, clock
        self._seen = self._poked = clock.monotonic()
        self._pending = False
        self._wanted: frozenset[str] = frozenset()
        self._serving: frozenset[str] = frozenset()

    def poke(self, platforms: frozenset[str]) -> None:
        """See Consumer."""
        self._wanted = platforms
        now = self._clock.monotonic()
        # A connection that broke may have taken the last poke with it.
        if self._controller.consumer is not None and (not self._pending or now - self._poked > 5.0):
            self._pending, self._poked = True, now
            self._controller.consumer.call_soon(self._come_round)

    def seen(self) -> float:
        """See Consumer."""
        return self._seen

    def serving(self) -> frozenset[str]:
        """See Consumer."""
        return self._serving

    def wake(self) -> None:
        """Have Celery's thread look round, for it may have been told to stop."""
        if self._controller.consumer is not None:
            self._controller.consumer.call_soon(lambda: None)

    def _come_round(self) -> None:
        self._pending, self._seen = False, self._clock.monotonic()
        consumer, wanted = self._controller.consumer, self._wanted
        if consumer.task_consumer is None:
            return
        for platform in wanted - self._serving:
            name = queue.queue_of(platform)
            if name not in self._app.amqp.queues:
                self._app.amqp.queues.add(_queue(name))
            consumer.add_task_queue(name)
        for platform in self._serving - wanted:
            consumer.cancel_task_queue(queue.queue_of(platform))
        self._serving = wanted


class _Stop:
    """What signals do."""

    def __init__(self, ledger: Ledger, link: WorkerLink, performs: Performs, finish_seconds: float) -> None:
        self._ledger, self._link, self._performs = ledger, link, performs
        self._finish_seconds, self._finished = finish_seconds, threading.Event()
        self.consumer: CeleryConsumer | None = None

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def finished(self) -> None:
        self._finished.set()

    def die(self, why: str) -> None:
        """End this process now, and its jobs with it."""
        _log.critical("%s", why)
        self._end(1)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Locks may be held by the very thread that is interrupted, so the work is done in another one.
        if self._ledger.stopping:
            threading.Thread(target=self._end, args=(128 + number,), daemon=True).start()
            return
        self._ledger.stopping = True
        state.should_stop = 0  # type: ignore[assignment]  # the exit code
        threading.Thread(target=self._stop, name="windrow-stop", daemon=True).start()

    def _stop(self) -> None:
        _log.info("stopping: finishing what runs, for at most %g s", self._finish_seconds)
        if self.consumer is None:
            self._link.hurry()
            return
        self.consumer.wake()
        if not self._finished.wait(self._finish_seconds) and self._ledger.running():
            _log.warning("killing %d batches that still run", len(self._ledger.running()))
            self._ledger.killed = True
            self._link.hurry()
            self._performs.cancel_all()
            while not self._finished.wait(1.0):
                self._performs.cancel_all()

    def _end(self, code: int) -> None:
        self._ledger.killed = True
        self._performs.cancel_all()
        os._exit(code)


def _version() -> str:
    try:
        return version("windrow")
    except PackageNotFoundError:
        return "unknown"
