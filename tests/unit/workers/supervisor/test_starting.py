"""Supervisors are started and ended quickly, and one that is there is preferred to a new one."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.unit.workers.supervisor.commands import request, survivors, token
from tests.waiting import until
from workers.execute.slot import Ended, Slot, SlotPool


def test_a_supervisor_starts_quickly(tmp_path: Path) -> None:
    best = 1.0
    for _ in range(5):
        slot = Slot()
        begun = time.perf_counter()
        slot.run(request(tmp_path, "/bin/true"))
        best = min(best, time.perf_counter() - begun)
        slot.close()

    # 20 ms when nothing else runs; the limit is for a busy machine.
    assert best < 0.2


def test_one_that_was_never_asked_is_ended_without_waiting_until_it_has_started(tmp_path: Path) -> None:
    """Whoever started it ahead, in vain, does not pay for what it loads."""
    loading = tmp_path / "loading.py"
    loading.write_text("import time\ntime.sleep(600)\n")
    slot = Slot((sys.executable, str(loading)))
    slot.start()
    assert slot._process is not None
    pid = slot._process.pid

    slot.close()

    assert not psutil.pid_exists(pid)


def test_a_pool_hands_out_each_slot_once(tmp_path: Path) -> None:
    pool = SlotPool(2)
    first, second = pool.acquire(), pool.acquire()
    waiting = threading.Thread(target=lambda: pool.release(pool.acquire()))
    waiting.start()

    assert first is not second
    assert waiting.is_alive()
    pool.release(first)
    waiting.join(5)
    assert not waiting.is_alive()
    pool.release(second)
    pool.close()


def test_a_slot_with_a_supervisor_goes_before_one_that_would_have_to_start_it(tmp_path: Path) -> None:
    pool = SlotPool(3)
    with pool.slot() as warm:
        warm.run(request(tmp_path, "true"))
    cold = [pool.acquire() for _ in range(3)]
    for slot in cold:
        pool.release(slot)  # the one that is started was given back first

    taken = pool.acquire()

    assert taken is warm is cold[0]
    pool.release(taken)
    pool.close()


@pytest.mark.parametrize("let_go", [True, False], ids=["comes free", "stays busy"])
def test_a_pool_waits_a_little_for_a_supervisor_that_is_there(tmp_path: Path, let_go: bool) -> None:
    """Starting another takes longer than a short job; but a long job holds nobody up."""
    pool = SlotPool(2, patience=5.0 if let_go else 0.05)
    warm = pool.acquire()
    warm.run(request(tmp_path, "true"))
    taken: list[Slot] = []
    waiting = threading.Thread(target=lambda: taken.append(pool.acquire()))
    waiting.start()

    if let_go:
        pool.release(warm)
    waiting.join(4)

    assert [slot is warm for slot in taken] == [let_go]
    assert [slot.started for slot in taken] == [let_go]
    for slot in {*taken, warm} if not let_go else taken:
        pool.release(slot)
    pool.close()


def test_a_pool_is_closed_at_once(tmp_path: Path) -> None:
    """Nobody looks every 50 ms whether a supervisor has ended."""
    best = 1.0
    for _ in range(5):
        pool = SlotPool(2)
        slots = [pool.acquire(), pool.acquire()]
        for slot in slots:
            slot.run(request(tmp_path, "true"))
            pool.release(slot)
        begun = time.perf_counter()
        pool.close()
        best = min(best, time.perf_counter() - begun)

    # 3 ms when nothing else runs; the limit is for a busy machine.
    assert best < 0.05


def test_closing_a_pool_kills_what_runs(tmp_path: Path) -> None:
    mark, pool, ended = token(), SlotPool(2), list[Ended]()

    def work(folder: Path) -> None:
        folder.mkdir()
        with pool.slot() as slot:
            ended.append(slot.run(request(folder, "sh", "-c", f"sleep {mark}; :")))

    threads = [threading.Thread(target=work, args=(tmp_path / name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    until(lambda: len([line for line in survivors(mark) if line.startswith("sleep")]) == 2)

    pool.close()
    for thread in threads:
        thread.join(10)

    assert [one.cancelled for one in ended] == [True, True]
    assert survivors(mark) == []
