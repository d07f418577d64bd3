"""Presence: says twice a lease that this worker lives, finds out what it can serve, and watches Celery do its part."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import redis

from shared import queue
from shared.clock import Clock
from shared.errors import WindrowError
from shared.queue import Beat
from workers.ledger import Ledger
from workers.link import WorkerLink

RECHECK_SECONDS = 5.0  # between two looks at tools that are known already
FRESH_SECONDS = 1.0  # how old such a look may be when a batch begins
ORPHAN_SECONDS = 60.0  # without its marker until a build's jobs are killed: its coordinator is dead
DEAD_SECONDS = 60.0  # without a sign of Celery's consumer, the broker being there, until this worker gives up

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
    """fingerprint: tool names to platform (WindrowError if this machine lacks one). die: ends this process at once."""

    def __init__(
        self,
        link: WorkerLink,
        ledger: Ledger,
        *,
        about: Beat,
        heartbeat: float,
        fingerprint: Callable[[Sequence[str]], str],
        pinned: Sequence[str],
        cancel: Callable[[str], None],
        die: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._link, self._ledger, self._about, self._heartbeat = link, ledger, about, heartbeat
        self._fingerprint, self._pinned = fingerprint, frozenset(pinned)
        self._cancel, self._die, self._clock = cancel, die, clock
        self._lock = threading.Lock()
        self._tools: dict[tuple[str, ...], str | WindrowError] = {}
        self._checked = 0.0
        self._orphaned: dict[str, float] = {}
        self._answering_since: float | None = None
        self._consumer: Consumer | None = None
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"windrow-{name}", daemon=True)
            for name, target in (("heartbeat", self._beat_on), ("tools", self._check_on))
        ]

    def open(self, consumer: Consumer) -> None:
        """Begin; the broker has answered before."""
        self._consumer = consumer
        self._beat()
        for thread in self._threads:
            thread.start()

    def serves(self, platform: str) -> bool:
        """Whether this machine's tools are those of a platform just now."""
        if self._clock.monotonic() - self._checked > FRESH_SECONDS:
            self._check(list(self._tools))
        return platform in self._platforms()

    def close(self) -> None:
        """Leave the farm."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._link.leave()

    # -- heartbeats ---------------------------------------------------------------------------------

    def _beat_on(self) -> None:
        while not self._over.wait(self._heartbeat):
            self._beat()

    def _beat(self) -> None:
        consumer = self._consumer
        assert consumer is not None
        running = self._ledger.running()
        beat = msgspec.structs.replace(
            self._about,
            platforms=tuple(sorted(consumer.serving())),
            unfit=self._unfit(),
            running=running,
            stopping=self._ledger.stopping,
        )
        try:
            markers = self._link.beat(beat, self._heartbeat, sorted({r.build for r in running}))
        except (redis.RedisError, OSError) as error:
            if self._answering_since is not None:
                _log.warning("the broker does not answer (%s)", error)
            self._answering_since = None
            return
        now = self._clock.monotonic()
        if self._answering_since is None:
            self._answering_since = now
        self._end_builds(markers, now)
        if self._ledger.stopping:
            return
        consumer.poke(self._platforms())
        if now - max(consumer.seen(), self._answering_since) > DEAD_SECONDS:
            self._die(f"Celery's consumer has not moved for {DEAD_SECONDS:.0f} s although the broker answers")

    def _end_builds(self, markers: dict[str, bytes | None], now: float) -> None:
        self._orphaned = {build: self._orphaned.get(build, now) for build, marker in markers.items() if marker is None}
        for build, marker in markers.items():
            orphan = now - self._orphaned.get(build, now) > ORPHAN_SECONDS
            if marker == queue.CANCELLED or orphan:
                if self._ledger.cancel(build):
                    _log.info("build %s is %s", build, "over: its coordinator is gone" if orphan else "cancelled")
                # Each time anew: a job may have begun just when the build was noted as cancelled.
                self._cancel(build)

    # -- tools --------------------------------------------------------------------------------------

    def _check_on(self) -> None:
        while not self._over.is_set():
            try:
                wanted = self._link.toolsets()
            except (redis.RedisError, OSError, msgspec.MsgspecError) as error:
                _log.debug("cannot see which tools are wanted: %s", error)
                wanted = list(self._tools)
            old = self._clock.monotonic() - self._checked > RECHECK_SECONDS
            self._check(wanted if old else [tools for tools in wanted if tools not in self._tools])
            self._over.wait(min(1.0, self._heartbeat))

    def _check(self, toolsets: Sequence[tuple[str, ...]]) -> None:
        for tools in toolsets:
            found: str | WindrowError
            try:
                found = self._fingerprint(tools)
            except WindrowError as error:
                found = error
            with self._lock:
                news = not _same(self._tools.get(tools), found)
                self._tools[tools] = found
            if news:
                _log.info("tools %s: %s", " ".join(tools) or "(none)", found if isinstance(found, str) else found.what)
        self._checked = self._clock.monotonic()
        if self._consumer is not None and not self._ledger.stopping:
            self._consumer.poke(self._platforms())

    def _platforms(self) -> frozenset[str]:
        with self._lock:
            return self._pinned | {found for found in self._tools.values() if isinstance(found, str)}

    def _unfit(self) -> dict[str, str]:
        with self._lock:
            return {queue.toolset(t): e.what for t, e in self._tools.items() if isinstance(e, WindrowError)}


def _same(one: str | WindrowError | None, other: str | WindrowError) -> bool:
    if isinstance(one, WindrowError) and isinstance(other, WindrowError):
        return one.what == other.what
    return one == other
