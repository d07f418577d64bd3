"""Outbox: outcomes of tiny jobs travel together, and none waits while a longer job runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from shared.clock import Clock
from shared.model.job import JobOutcome

TOGETHER_SECONDS = 0.05  # outcomes wait for each other no longer than this

Tell = Callable[[tuple[JobOutcome, ...]], object]


class Box:
    """The outcomes of one batch that are not reported yet."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._lock = tell, threading.Lock()
        self._waiting: list[JobOutcome] = []

    def put(self, outcome: JobOutcome) -> None:
        """Keep an outcome for the next flush."""
        self._waiting.append(outcome)

    def flush(self) -> None:
        """Report what waits; returns once that, and what another thread was reporting, is stored."""
        with self._lock:
            count = len(self._waiting)
            if count:
                self._tell(tuple(self._waiting[:count]))
                del self._waiting[:count]


class Outbox:
    """Boxes of the batches under way, and a thread that flushes one whose outcomes have waited long enough."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._changed, self._closed = clock, threading.Condition(), False
        self._since: dict[Box, float] = {}
        self._thread = threading.Thread(target=self._run, name="windrow-outbox", daemon=True)
        self._thread.start()

    def put(self, box: Box, outcome: JobOutcome) -> None:
        """Report an outcome within TOGETHER_SECONDS."""
        box.put(outcome)
        with self._changed:
            if box not in self._since:
                self._since[box] = self._clock.monotonic()
                self._changed.notify()

    def flush(self, box: Box) -> None:
        """Report what a batch has waiting, now."""
        with self._changed:
            self._since.pop(box, None)
        box.flush()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (box := self._next()) is not None:
            box.flush()

    def _next(self) -> Box | None:
        """The next box whose time has come; None at the end."""
        with self._changed:
            while not self._closed:
                if not self._since:
                    self._changed.wait()
                    continue
                box, since = next(iter(self._since.items()))
                left = since + TOGETHER_SECONDS - self._clock.monotonic()
                if left <= 0:
                    del self._since[box]
                    return box
                self._changed.wait(left)
            return None
