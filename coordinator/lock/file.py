"""FileLock: BuildLock in a directory, for builds without a farm.

`lock.json` is the holder. It changes only under flock of `.lock.guard`, after it has been read again, so
of many contenders for a stale lock one wins. `.lock.fence` is a counter that never goes back.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from coordinator.lock.lease import LEASE_SECONDS, Holder, Lease, take
from coordinator.lock.renewal import Renewal, RenewedLease
from shared import atomic, canonical, errors, failpoint, process
from shared.clock import Clock, from_iso, iso

POLL_SECONDS = 0.1


class _Held(msgspec.Struct, frozen=True):
    """`lock.json`. beat: monotonic seconds of the last renewal, which mean something on the same boot only."""

    holder: Holder
    beat: float


class FileLock:
    """See BuildLock. `lease` is in seconds; folder is made when needed."""

    def __init__(self, folder: Path, clock: Clock, *, lease: float = LEASE_SECONDS) -> None:
        self._folder, self._clock, self._lease = folder, clock, lease
        self._record = folder / "lock.json"
        self._counter = folder / ".lock.fence"

    def acquire(self, holder: Holder, *, wait: float | None = 0.0, at_least: int = 0) -> Lease:
        """See BuildLock."""
        return take(lambda: self._attempt(holder, at_least), self._clock, wait, POLL_SECONDS)

    def current(self) -> Holder | None:
        """See BuildLock."""
        held = self._read()
        return None if held is None or self._stale(held) else held.holder

    def seize(self, nonce: str) -> bool:
        """See BuildLock."""
        with self._guarded():
            held = self._read()
            if held is None or held.holder.nonce != nonce:
                return False
            # A new number tells a renewal that comes late that the record is gone on purpose.
            self._count(max(self._fence(), held.holder.fence) + 1)
            self._record.unlink(missing_ok=True)
            return True

    def give_back(self, nonce: str) -> bool:
        """As seize, for the holder itself, whose renewals have ended: a full disk is no obstacle."""
        with self._guarded():
            held = self._read()
            if held is None or held.holder.nonce != nonce:
                return False
            # What has been committed must not be called a failure for want of a page for the counter,
            # which guards against a late renewal only.
            with contextlib.suppress(errors.DiskFull):
                self._count(max(self._fence(), held.holder.fence) + 1)
            try:
                self._record.unlink(missing_ok=True)
            except OSError as error:
                raise errors.named(error, self._record, "removing") from error
            return True

    def renew(self, holder: Holder) -> bool:
        """Note that the holder lives; False once the lock is another's."""
        with self._guarded():
            held = self._read()
            if held is None and self._fence() > holder.fence:
                return False
            if held is not None and held.holder.nonce != holder.nonce:
                return False
            # Without a record and with our own number still the last, nobody took it: put it back.
            self._write(holder)
            return True

    def _attempt(self, asking: Holder, at_least: int) -> Lease | Holder:
        with self._guarded():
            held = self._read()
            if held is not None and not self._stale(held):
                return held.holder
            atomic.sweep(self._folder)
            fence = max(self._fence(), at_least, held.holder.fence if held else 0) + 1
            self._count(fence)
            now = iso(self._clock.now())
            holder = msgspec.structs.replace(asking, since=now, renewed=now, fence=fence)
            self._write(holder)
        return _FileLease(self, holder, Renewal(lambda: self.renew(holder), self._clock, self._lease))

    def _stale(self, held: _Held) -> bool:
        if held.holder.gone():
            return True
        if held.holder.space and held.holder.space == process.this().space:
            return self._clock.monotonic() - held.beat > self._lease
        return self._clock.now() - from_iso(held.holder.renewed) > self._lease

    def _read(self) -> _Held | None:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=_Held)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            # Written by replacement, so never half: someone edited it, and nobody can be told from it.
            return None
        except OSError as error:
            raise errors.named(error, self._record, "reading") from error

    def _write(self, holder: Holder) -> None:
        renewed = msgspec.structs.replace(holder, renewed=iso(self._clock.now()))
        data = canonical.encode(_Held(renewed, self._clock.monotonic()))
        atomic.write_atomic(self._record, data, durable=False)

    def _fence(self) -> int:
        try:
            text = self._counter.read_text()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise errors.named(error, self._counter, "reading") from error
        return int(text) if text.isascii() and text.isdigit() else 0

    def _count(self, fence: int) -> None:
        atomic.write_atomic(self._counter, str(fence).encode(), durable=True)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        path = self._folder / ".lock.guard"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise errors.named(error, path, "writing") from error
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
            except OSError as error:
                raise errors.named(error, path, "locking") from error
            yield
        finally:
            os.close(fd)


class _FileLease(RenewedLease):
    def __init__(self, lock: FileLock, holder: Holder, renewal: Renewal) -> None:
        super().__init__(holder, renewal)
        self._lock = lock

    def release(self, *, hurry: bool = False) -> bool:
        failpoint.hit("lock.before-release")
        self.renewal.stop()
        try:
            return self._lock.give_back(self.holder.nonce)
        except errors.LocalError:
            # As on the broker: it lapses, and what the build has to tell matters more.
            return False
