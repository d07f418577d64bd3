"""Renews a held lock in the background, and knows when it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from coordinator.lock.lease import Holder
from shared.clock import Clock
from shared.errors import WindrowError

MARGIN_SECONDS = 60.0
PERIOD_SECONDS = 60.0


class Renewal:
    """Calls `renew` every third of the lease (60 s at most), from a thread of its own.

    `renew` says whether the lock is still ours, and raises WindrowError when it cannot tell. The lock counts
    as lost as soon as it says no, or when it could not tell for the lease less a margin.
    """

    def __init__(self, renew: Callable[[], bool], clock: Clock, lease: float) -> None:
        self._renew, self._clock = renew, clock
        self._period = min(lease / 3, PERIOD_SECONDS)
        self._patience = lease - min(lease / 5, MARGIN_SECONDS)
        self._sure = clock.monotonic()
        self._lost = False
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock-renewal", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; a renewal under way has ended on return."""
        self._stop.set()
        with self._guard:
            pass

    def lost(self, *, ask: bool = False) -> bool:
        """Whether the lock is lost; asks at once if told to, and when the last good renewal is too long ago."""
        if not self._lost and (ask or self._clock.monotonic() - self._sure >= self._patience):
            # A machine that slept may find the lock untouched.
            self.beat()
        return self._lost

    def beat(self) -> None:
        """Renew now."""
        with self._guard:
            if self._lost or self._stop.is_set():
                return
            begun = self._clock.monotonic()
            try:
                self._lost = not self._renew()
                self._sure = begun
            except WindrowError:
                # Not being able to tell is expected for a while; lost() reports it once it lasts.
                self._lost = self._clock.monotonic() - self._sure >= self._patience

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._period) and not self._lost:
                self.beat()
        finally:
            # Whatever ended the thread, a lock that is not renewed must not be trusted.
            self._lost = self._lost or not self._stop.is_set()


class RenewedLease:
    """The part of a Lease that does not depend on where the lock is kept; it is renewed from now on."""

    def __init__(self, holder: Holder, renewal: Renewal) -> None:
        self.holder, self.fence, self.renewal = holder, holder.fence, renewal
        renewal.start()

    def lost(self, *, ask: bool = False) -> bool:
        """See Lease."""
        return self.renewal.lost(ask=ask)
