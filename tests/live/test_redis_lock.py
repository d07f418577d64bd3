"""RedisLock on a real Valkey server: the contract, and what is particular to a broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from cli.servers import Server
from coordinator.lock.lease import me
from coordinator.lock.redis import RedisLock
from shared.clock import Clock, SystemClock
from shared.errors import BrokerUnavailable, LockHeld
from tests.contracts.build_lock import BuildLockContract, MakeLock, stranger
from tests.fakes.clock import FakeClock
from tests.services import RestartedLater, running_valkey

pytestmark = pytest.mark.live

HOLD = """
import sys
from coordinator.lock.redis import RedisLock
from coordinator.lock.lease import me
from shared.clock import SystemClock
lease = RedisLock(sys.argv[1], "p/main", SystemClock(), lease=float(sys.argv[2])).acquire(me("b-child"))
print(lease.fence, flush=True)
sys.stdin.read(1)
print(lease.lost(), flush=True)
"""


@pytest.fixture
def broker(any_broker: Server) -> str:
    return any_broker.url


def forget(broker: str) -> None:
    """Leave the broker as a restart without persistence would."""
    client = redis.Redis.from_url(broker)
    for key in client.scan_iter("windrow:*{p/*"):
        client.delete(key)
    client.close()


@pytest.fixture
def make_lock(broker: str) -> Iterator[MakeLock]:
    forget(broker)
    opened = []

    def make(clock: Clock | None = None, lease: float = 300.0) -> RedisLock:
        opened.append(RedisLock(broker, "p/main", clock or SystemClock(), lease=lease))
        return opened[-1]

    yield make
    for lock in opened:
        lock.close()


class TestRedisLock(BuildLockContract):
    """The contract on Redis."""


def test_branches_do_not_lock_each_other(broker: str, make_lock: MakeLock) -> None:
    first = make_lock().acquire(me("b-1"))
    other = RedisLock(broker, "p/feature", SystemClock())

    second = other.acquire(me("b-2"))

    assert second.release() and first.release()
    other.close()


def test_who_waits_for_the_lock_waits_for_a_broker_that_starts_again(tmp_path: Path) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(running_valkey(tmp_path))
        first = RedisLock(broker.url, "p/main", SystemClock()).acquire(me("b-1"))
        waiting = RedisLock(broker.url, "p/main", RestartedLater(broker, tmp_path, stack))

        second = waiting.acquire(me("b-2"), wait=None, at_least=first.fence)

        assert second.fence > first.fence
        assert first.lost(ask=True)
        assert second.release()
        first.release()


def test_a_silent_stranger_is_replaced_when_its_lease_runs_out(make_lock: MakeLock) -> None:
    old = make_lock(lease=0.4).acquire(stranger())
    old.renewal.stop()  # type: ignore[attr-defined]

    new = make_lock().acquire(me("b-2"), wait=20)

    assert new.fence > old.fence
    assert not old.release()
    assert new.release()


def test_a_paused_holder_learns_on_waking_that_the_lock_is_gone(broker: str, make_lock: MakeLock) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, broker, "0.5"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGSTOP)
    second = make_lock().acquire(me("b-2"), wait=30)
    os.kill(process.pid, signal.SIGCONT)

    said, _ = process.communicate("x", timeout=30)

    assert said.strip() == "True"
    assert not second.lost()
    second.release()


def test_acquiring_again_after_a_lost_reply_is_acquiring_once(make_lock: MakeLock) -> None:
    asking = me("b-1")
    first = make_lock().acquire(asking)

    again = make_lock().acquire(asking)

    assert again.fence == first.fence
    assert again.release()


def test_a_broker_that_came_back_empty_gives_the_lock_back_to_its_holder(broker: str, make_lock: MakeLock) -> None:
    lease = make_lock().acquire(me("b-1"), at_least=7)
    forget(broker)

    lease.renewal.beat()  # type: ignore[attr-defined]

    assert not lease.lost()
    with pytest.raises(LockHeld):
        make_lock().acquire(me("b-2"))
    lease.release()
    assert make_lock().acquire(me("b-3")).fence > lease.fence


def test_a_build_whose_broker_stays_away_loses_its_lock_before_the_lease_is_over(tmp_path: Path) -> None:
    clock = FakeClock()
    with running_valkey(tmp_path) as server:
        lease = RedisLock(server.url, "p/main", clock).acquire(me("b-1"))

    clock.advance(200)
    before = lease.lost()
    clock.advance(45)

    assert (before, lease.lost()) == (False, True)
    assert lease.release() is False


def test_a_broker_out_of_reach_is_named_without_its_password() -> None:
    with pytest.raises(BrokerUnavailable) as caught:
        RedisLock("redis://user:secret@127.0.0.1:1/0", "p/main", FakeClock()).acquire(me("b-1"))

    assert "127.0.0.1:1" in caught.value.at
    assert "secret" not in f"{caught.value.at}{caught.value.why}{caught.value.what}"
