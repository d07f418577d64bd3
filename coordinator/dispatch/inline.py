"""InlinePerformer: performs jobs in this process, on threads, through a callable it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from coordinator.dispatch.performer import JobStarted, Report, unforeseen
from shared.errors import WindrowError
from shared.model.job import JobOrder, JobOutcome

_LOOK = 0.2  # seconds between looks whether the machine is free again


class InlinePerformer:
    """A thread a slot; the command is a process of its own anyway.

    free: whether the machine has room for one more job beside those that run; None where nobody minds.
    """

    def __init__(
        self,
        perform: Callable[[JobOrder], JobOutcome],
        cancel: Callable[[], None],
        slots: int,
        *,
        close: Callable[[], None] = lambda: None,
        free: Callable[[], bool] | None = None,
    ) -> None:
        self._free = free
        self._perform, self._cancel, self._slots, self._release = perform, cancel, slots, close
        self._name = f"job-{id(self):x}"
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=self._name)
        self._cancelled = False
        self._turn = threading.Condition()  # guards the next three
        self._running = 0
        self._unheard = 0  # failures that nobody has said what to do about
        self._stopped = False
        self._deliver: Callable[[Report], None] = lambda _report: None

    def open(self, deliver: Callable[[Report], None]) -> None:
        """See Performer."""
        self._deliver = deliver

    def slots(self) -> int:
        """See Performer."""
        return self._slots

    def room(self) -> int:
        """See Performer: for each slot one that runs and one that waits."""
        return 2 * self._slots

    def submit(self, orders: Sequence[JobOrder]) -> None:
        """See Performer."""
        self._pool.submit(self._run, tuple(orders))

    def _run(self, orders: Sequence[JobOrder]) -> None:
        try:
            self._run_each(orders)
        except Exception as error:  # noqa: BLE001 - as below
            self._deliver(unforeseen(error, "waiting for a turn"))

    def _run_each(self, orders: Sequence[JobOrder]) -> None:
        for order in orders:
            with self._turn:
                while not self._turn.wait_for(self._may_begin, None if self._free is None else _LOOK):
                    pass
                self._running += not (self._cancelled or self._stopped)
            if self._cancelled:
                return
            if self._stopped:
                self._deliver(JobOutcome(order.job, order.attempt, "dropped"))
                continue
            self._deliver(JobStarted(order.job, "here"))
            try:
                outcome: Report = self._perform(order)
            except WindrowError as error:
                outcome = error
            except Exception as error:  # noqa: BLE001 - a bug here must end the build, not hang it
                outcome = unforeseen(error, f"performing {order.job}")
            with self._turn:
                self._running -= 1
                if isinstance(outcome, JobOutcome) and outcome.status in ("failed", "lost"):
                    self._unheard += 1
            if not self._cancelled:
                self._deliver(outcome)

    def _may_begin(self) -> bool:
        if self._cancelled or self._stopped:
            return True
        # As make and ninja: one job runs whatever the load is.
        return not self._unheard and (self._free is None or not self._running or self._free())

    def after_failure(self, *, stop: bool) -> None:
        """See Performer; here nothing begins between a failure and the word on it."""
        with self._turn:
            self._stopped = self._stopped or stop
            self._unheard = max(0, self._unheard - 1)
            self._turn.notify_all()

    def cancel(self) -> None:
        """See Performer."""
        with self._turn:
            self._cancelled = True
            self._turn.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)
        # An order taken just before is not known to whoever cancels until it has begun.
        while any(thread.is_alive() for thread in self._threads()):
            self._cancel()
            for thread in self._threads():
                thread.join(0.05)

    def _threads(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith(self._name)]

    def close(self) -> None:
        """See Performer."""
        self._pool.shutdown(wait=True)
        self._release()
