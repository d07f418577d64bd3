"""What every BuildLock must do; a test module gives it a fixture `make_lock`.

`make_lock(clock=SystemClock(), lease=300.0)` opens the same lock again at each call of one test.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from coordinator.lock.lease import BuildLock, Holder, Lease, me
from shared.clock import SystemClock
from shared.errors import LockHeld

MakeLock = Callable[..., BuildLock]


def stranger(build: str = "b-far") -> Holder:
    """A holder on another machine, of whom only the lease tells."""
    return msgspec.structs.replace(me(build), host="far-away", space="another-boot/pid:[1]")


def dead(build: str = "b-dead") -> Holder:
    """A holder on this machine whose process has ended."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return msgspec.structs.replace(me(build), pid=child.pid, start=1)


class BuildLockContract:
    """The tests."""

    def test_a_held_lock_says_who_holds_it_and_since_when(self, make_lock: MakeLock) -> None:
        lease = make_lock().acquire(me("b-1", target="app"))

        with pytest.raises(LockHeld) as caught:
            make_lock().acquire(me("b-2"))

        error = caught.value
        assert error.what == "Another build is in progress"
        assert error.exit_code == 9
        holder = lease.holder
        for part in (f"{holder.user}@{holder.host}", f"pid {holder.pid}", "b-1", "app", holder.since, "ago"):
            assert part in error.why
        assert "--wait" in error.fix and "windrow lock break" in error.fix
        lease.release()

    def test_a_released_lock_is_free(self, make_lock: MakeLock) -> None:
        first = make_lock().acquire(me("b-1"))

        assert first.release()

        assert make_lock().current() is None
        assert make_lock().acquire(me("b-2")).release()

    def test_the_holder_can_be_asked_for(self, make_lock: MakeLock) -> None:
        lease = make_lock().acquire(me("b-1"))

        current = make_lock().current()

        assert current is not None
        assert (current.build, current.pid, current.fence) == ("b-1", lease.holder.pid, lease.fence)
        assert current.since.endswith("Z") and current.renewed.endswith("Z")
        lease.release()

    def test_every_fence_exceeds_the_one_before_and_the_one_asked_for(self, make_lock: MakeLock) -> None:
        fences = []
        for at_least in (0, 0, 41, 0):
            lease = make_lock().acquire(me("b"), at_least=at_least)
            fences.append(lease.fence)
            lease.release()

        assert fences == sorted(set(fences))
        assert fences[2] > 41

    def test_waiting_ends_with_the_lock_when_it_is_released(self, make_lock: MakeLock) -> None:
        first = make_lock().acquire(me("b-1"))
        timer = threading.Timer(0.2, first.release)
        timer.start()

        second = make_lock().acquire(me("b-2"), wait=None)

        assert second.fence > first.fence
        second.release()
        timer.join()

    def test_waiting_ends_with_an_error_when_the_time_is_up(self, make_lock: MakeLock) -> None:
        clock = SystemClock()
        first = make_lock().acquire(me("b-1"))
        begun = clock.monotonic()

        with pytest.raises(LockHeld):
            make_lock().acquire(me("b-2"), wait=0.3)

        assert 0.3 <= clock.monotonic() - begun < 5
        first.release()

    def test_a_dead_holder_on_this_machine_is_replaced_at_once(self, make_lock: MakeLock) -> None:
        old = make_lock().acquire(dead())

        new = make_lock().acquire(me("b-2"))

        assert new.fence > old.fence
        assert old.lost() or old.release() is False
        current = make_lock().current()
        assert current is not None and current.build == "b-2"
        new.release()

    def test_a_reused_pid_does_not_keep_the_lock(self, make_lock: MakeLock) -> None:
        make_lock().acquire(msgspec.structs.replace(me("b-old"), start=1))

        assert make_lock().acquire(me("b-2")).release()

    def test_a_stranger_keeps_the_lock_while_it_renews(self, make_lock: MakeLock) -> None:
        far = make_lock(lease=0.6).acquire(stranger())

        with pytest.raises(LockHeld):
            make_lock(lease=0.6).acquire(me("b-2"), wait=1.5)

        assert not far.lost()
        far.release()

    def test_a_seized_lock_is_lost_for_its_holder(self, make_lock: MakeLock) -> None:
        lease = make_lock().acquire(me("b-1"))

        assert make_lock().seize(lease.holder.nonce)

        assert make_lock().current() is None
        lease.renewal.beat()  # type: ignore[attr-defined]
        assert lease.lost()
        assert make_lock().current() is None
        assert not lease.release()

    def test_a_holder_that_asks_learns_at_once_that_its_lock_was_seized(self, make_lock: MakeLock) -> None:
        lease = make_lock().acquire(me("b-1"))
        assert not lease.lost(ask=True)

        assert make_lock().seize(lease.holder.nonce)

        assert lease.lost(ask=True)
        assert make_lock().current() is None

    def test_only_the_holding_that_was_seen_is_seized(self, make_lock: MakeLock) -> None:
        first = make_lock().acquire(me("b-1"))
        first.release()
        second = make_lock().acquire(me("b-2"))

        assert not make_lock().seize(first.holder.nonce)

        assert not first.release()
        current = make_lock().current()
        assert current is not None and current.build == "b-2"
        second.release()

    def test_a_renewal_after_the_release_brings_nothing_back(self, make_lock: MakeLock) -> None:
        lock = make_lock()
        lease = lock.acquire(me("b-1"))
        lease.release()

        assert lock.renew(lease.holder) is False  # type: ignore[attr-defined]

        assert lock.current() is None

    def test_sections_exclude_each_other(self, make_lock: MakeLock) -> None:
        inside, worst, fences, guard = 0, 0, [], threading.Lock()

        def work(number: int) -> None:
            nonlocal inside, worst
            lock = make_lock()
            for section in range(30):
                lease = lock.acquire(me(f"b-{number}-{section}"), wait=60)
                with guard:
                    inside += 1
                    worst = max(worst, inside)
                    fences.append(lease.fence)
                with guard:
                    inside -= 1
                assert lease.release()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        assert worst == 1
        assert len(fences) == 240
        assert fences == sorted(set(fences))

    def test_of_four_contenders_for_a_stale_lock_one_wins(self, make_lock: MakeLock) -> None:
        corpse = dead()
        locks = [make_lock() for _ in range(4)]
        barrier = threading.Barrier(4)

        def contend(lock: BuildLock) -> Lease | None:
            barrier.wait()
            try:
                return lock.acquire(me("b"))
            except LockHeld:
                return None

        with ThreadPoolExecutor(4) as pool:
            for _ in range(500):
                locks[0].acquire(msgspec.structs.replace(corpse, nonce=me("b").nonce))
                winners = [lease for lease in pool.map(contend, locks) if lease is not None]
                assert len(winners) == 1
                assert winners[0].release()
