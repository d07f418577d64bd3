"""Stop: what signals do to a worker. The first finishes what runs and gives back the rest, the second kills."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType

from celery.worker import state

from workers.batch import Performs
from workers.consumer import CeleryConsumer
from workers.ledger import Ledger
from workers.link import WorkerLink

_log = logging.getLogger("windrow.worker")


class Stop:
    """finish_seconds: what running jobs get after the first signal."""

    def __init__(self, ledger: Ledger, link: WorkerLink, performs: Performs, finish_seconds: float) -> None:
        self._ledger, self._link, self._performs = ledger, link, performs
        self._finish_seconds, self._finished = finish_seconds, threading.Event()
        self.consumer: CeleryConsumer | None = None

    def install(self) -> None:
        """Handle SIGTERM and SIGINT from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def finished(self) -> None:
        """Nothing runs any more."""
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
