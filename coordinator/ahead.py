"""Ahead: a performer that is made and warmed up beside other work, for a plan with jobs that are sure to run."""

from __future__ import annotations

import threading
from collections.abc import Callable

from coordinator.dispatch.performer import Performer


class Ahead:
    """Begins at once, in a thread of its own. Whoever takes the performer closes it; else `close` does."""

    def __init__(self, make: Callable[[], Performer]) -> None:
        self._make = make
        self._made: Performer | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="windrow-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._made = self._make()
        except BaseException as error:  # noqa: BLE001 - told to whoever takes it
            self._error = error

    def take(self) -> Performer:
        """The performer, once; waits until it is made, and raises what making it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        made, self._made = self._made, None
        assert made is not None
        return made

    def close(self) -> None:
        """End what nobody took."""
        self._thread.join()
        if self._made is not None:
            self._made.close()
            self._made = None
