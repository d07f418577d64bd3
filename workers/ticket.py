"""Ticket: one order being performed, and whether anybody still waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from shared.model.job import JobOrder
from workers.patience import patiently
from workers.workshop import Workshop

T = TypeVar("T")


class Ticket:
    """An order, and the workshop it is performed in. ran: to be called when its command ended and more is to do."""

    def __init__(self, workshop: Workshop, order: JobOrder, ran: Callable[[], None]) -> None:
        self.workshop, self.order, self.ran = workshop, order, ran
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._cancelled.is_set()

    def patiently(self, call: Callable[[], T]) -> T:
        """Ask a store, again if need be."""
        return patiently(self.workshop.clock, call, self.cancelled, self.workshop.patience)
