"""Ledger: what this worker runs, what of it was cancelled, and whether it is stopping. Thread-safe."""

from __future__ import annotations

import threading

from shared.model.job import JobOrder
from shared.queue import Running


class Ledger:
    """Written by the threads that run batches, read by the heartbeat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Running] = {}
        self._slotless: set[tuple[str, int]] = set()
        self._cancelled: set[tuple[str, int]] = set()
        self.stopping = False  # take nothing more, give back what was not begun
        self.killed = False  # what runs was killed: give it back as well

    def begin(self, build: str, batch: int) -> None:
        """A batch is claimed and under way."""
        with self._lock:
            self._running[build, batch] = Running(build, batch)

    def at(self, batch: int, order: JobOrder, left: int) -> None:
        """A job of a batch begins; `left` are still to come with it."""
        with self._lock:
            self._running[order.build, batch] = Running(order.build, batch, left, order.job, order.attempt)

    def waits(self, build: str, batch: int) -> None:
        """A batch needs no slot: what its last command made is being stored, or it waits for another run of a job."""
        with self._lock:
            self._slotless.add((build, batch))

    def goes_on(self, build: str, batch: int) -> None:
        """It needs one again."""
        with self._lock:
            self._slotless.discard((build, batch))

    def end(self, build: str, batch: int) -> None:
        """All of a batch is reported."""
        with self._lock:
            self._running.pop((build, batch), None)
            self._slotless.discard((build, batch))
            self._cancelled.discard((build, batch))

    def slotless(self) -> int:
        """How many batches under way need no slot."""
        return len(self._slotless)

    def running(self) -> tuple[Running, ...]:
        """What is under way."""
        with self._lock:
            return tuple(self._running.values())

    def cancel(self, build: str) -> bool:
        """Note that what is under way of a build is over; whether that is news. What is claimed later is not."""
        with self._lock:
            running = {key for key in self._running if key[0] == build}
            news = bool(running - self._cancelled)
            self._cancelled |= running
            return news

    def cancelled(self, build: str, batch: int) -> bool:
        """Whether a batch under way is over."""
        return (build, batch) in self._cancelled
