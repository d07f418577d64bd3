"""Presence: says at each heartbeat that this worker lives and what it runs, and watches Celery do its part."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec
import redis

from shared import queue
from shared.clock import Clock
from shared.queue import Beat
from workers.fitness import Fitness
from workers.ledger import Ledger
from workers.link import WorkerLink

ORPHAN_SECONDS = 60.0  # without its marker until a build's jobs are killed: its coordinator is dead
DEAD_SECONDS = 60.0  # without a sign of Celery's consumer, the broker being there, until this worker gives up
GAP = 10.0  # seconds between two heartbeats after which this machine stood still, Celery's thread with it

_log = logging.getLogger("windrow.worker")


class Consumer(Protocol):
    """What takes messages from queues."""

    def poke(self, platforms: frozenset[str]) -> None:
        """Have its own thread, when it next comes round, consume exactly the queues of these platforms."""
        ...

    def seen(self) -> float:
        """When its thread last came round, by the monotonic clock."""
        ...

    def serving(self) -> frozenset[str]:
        """The platforms whose queues it consumes."""
        ...


class Presence:
    """about: what does not change of the heartbeat. cancel: kills a build's jobs. die: ends this process at once."""

    def __init__(
        self,
        link: WorkerLink,
        ledger: Ledger,
        fitness: Fitness,
        consumer: Consumer,
        *,
        about: Beat,
        cancel: Callable[[str], None],
        die: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._link, self._ledger, self._fitness, self._consumer = link, ledger, fitness, consumer
        self._about, self._cancel, self._die, self._clock = about, cancel, die, clock
        self._orphaned: dict[str, float] = {}
        self._answering_since: float | None = None
        self._beaten = clock.monotonic()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"windrow-{name}", daemon=True)
            for name, target in (("heartbeat", self._beat_on), ("tools", self._consider_tools))
        ]

    def open(self) -> None:
        """Begin; the broker has answered before."""
        self.beat()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Leave the farm."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._link.leave()

    def beat(self) -> None:
        """One heartbeat, and what is learnt with it."""
        running = self._ledger.running()
        beat = msgspec.structs.replace(
            self._about,
            platforms=tuple(sorted(self._consumer.serving())),
            unfit=self._fitness.unfit(),
            running=running,
            stopping=self._ledger.stopping,
        )
        try:
            markers = self._link.beat(beat, sorted({r.build for r in running}))
        except (redis.RedisError, OSError) as error:
            if self._answering_since is not None:
                _log.warning("the broker does not answer (%s)", error)
            self._answering_since = None
            return
        now = self._clock.monotonic()
        if self._answering_since is None or now - self._beaten > GAP + self._link.heartbeat:
            self._answering_since = now
        self._beaten = now
        self._end_builds(markers, now)
        self._watch(now, self._answering_since)

    def _beat_on(self) -> None:
        while not self._over.wait(self._link.heartbeat):
            self.beat()

    def _end_builds(self, markers: dict[str, bytes | None], now: float) -> None:
        self._orphaned = {build: self._orphaned.get(build, now) for build, marker in markers.items() if marker is None}
        for build, marker in markers.items():
            orphan = now - self._orphaned.get(build, now) > ORPHAN_SECONDS
            if marker == queue.CANCELLED or orphan:
                if self._ledger.cancel(build):
                    _log.info("build %s is %s", build, "over: its coordinator is gone" if orphan else "cancelled")
                # Each time anew: a job may have begun just when the build was noted as cancelled.
                self._cancel(build)

    def _watch(self, now: float, answering_since: float) -> None:
        if self._ledger.stopping:
            return
        self._consumer.poke(self._fitness.platforms())
        if now - max(self._consumer.seen(), answering_since) > DEAD_SECONDS:
            self._die(f"Celery's consumer has not moved for {DEAD_SECONDS:.0f} s although the broker answers")

    def _consider_tools(self) -> None:
        # A thread of its own: hashing a compiler for the first time must not cost a heartbeat.
        while not self._over.is_set():
            try:
                wanted = self._link.toolsets()
            except (redis.RedisError, OSError, msgspec.MsgspecError) as error:
                _log.debug("cannot see which tools are wanted: %s", error)
                wanted = []
            self._fitness.consider(wanted)
            if not self._ledger.stopping:
                self._consumer.poke(self._fitness.platforms())
            self._over.wait(min(1.0, self._link.heartbeat))
