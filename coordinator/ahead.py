"""Ahead: something that will be wanted, made in a thread of its own beside other work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """Begins at once. What nobody takes has to be fetched by `left`, if it must be ended."""

    def __init__(self, make: Callable[[], Made], name: str) -> None:
        self._make = make
        self._made: Made | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._made = self._make()
        except BaseException as error:  # noqa: BLE001 - told to whoever takes it
            self._error = error

    def take(self) -> Made:
        """What was made, once; waits until it is, and raises what making it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        made, self._made = self._made, None
        assert made is not None
        return made

    def left(self) -> Made | None:
        """What nobody took, once it is made; None if that failed."""
        self._thread.join()
        made, self._made = self._made, None
        return made
