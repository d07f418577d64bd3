"""Celery's worker and its consumer, as we use them: threads, no chatter, queues added and dropped while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.concurrency.thread import TaskPool
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.worker import WorkController
from kombu import Exchange, Queue

from shared import queue
from shared.clock import Clock

_log = logging.getLogger("windrow.worker")


def celery_worker(app: Celery, worker: str, slots: int, slotless: Callable[[], int]) -> WorkController:
    """Celery's worker, consuming nothing yet; it installs no signal handlers and touches no logging.

    slotless: how many of the messages it has need no slot any more; as many others are taken in their place.
    """
    app.amqp.queues.add(_queue(queue.IDLE_QUEUE))
    return WorkController(
        app=app,
        hostname=worker,
        consumer_cls=_EagerConsumer,
        pool_cls=_hands(slots, slotless),
        concurrency=slots,
        prefetch_multiplier=2,
        loglevel="WARNING",
        queues=[queue.IDLE_QUEUE],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        task_events=False,
        optimization="fair",
    )


def _hands(slots: int, slotless: Callable[[], int]) -> type[TaskPool]:
    """Celery's threads, two a slot: one runs a job while the other stores what the last one made."""

    class Hands(TaskPool):  # type: ignore[misc, unused-ignore]
        def __init__(self, _slots: int, **options: Any) -> None:
            super().__init__(2 * slots, **options)

        @property
        def num_processes(self) -> int:
            """How many messages it may have at the moment; Celery asks before it takes one."""
            return slots + min(slotless(), slots)

    return Hands


def _queue(name: str) -> Queue:
    # Without an exchange nothing about it is left in Redis but the list itself.
    return Queue(name, Exchange(""), routing_key=name)


class _EagerConsumer(Consumer):  # type: ignore[misc, unused-ignore]
    """Celery's consumer, back at work soon after the broker is: Celery itself would wait up to 30 s between tries."""

    def ensure_connected(self, conn: Any) -> Any:
        """See Celery."""

        def tell(error: Exception, _interval: float) -> None:
            _log.debug("no connection for messages yet (%s)", error)

        conn.ensure_connection(
            tell, interval_start=0.2, interval_step=0.2, interval_max=2.0, callback=state.maybe_shutdown
        )
        self.first_connection_attempt = False
        return conn


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
