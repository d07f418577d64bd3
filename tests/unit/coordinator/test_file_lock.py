"""FileLock: the contract, and what is particular to files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.lock.file import FileLock
from coordinator.lock.lease import age, me
from coordinator.lock.workspace import holding
from shared.clock import Clock, SystemClock
from shared.errors import LocalError, LockHeld
from tests.contracts.build_lock import BuildLockContract, MakeLock, stranger
from tests.fakes.clock import FakeClock

HOLD = """
import sys
from pathlib import Path
from coordinator.lock.file import FileLock
from coordinator.lock.lease import me
from shared.clock import SystemClock
lease = FileLock(Path(sys.argv[1]), SystemClock(), lease=float(sys.argv[2])).acquire(me("b-child"))
print(lease.fence, flush=True)
sys.stdin.read(1)
print(lease.lost(), flush=True)
"""


@pytest.fixture
def make_lock(tmp_path: Path) -> MakeLock:
    def make(clock: Clock | None = None, lease: float = 300.0) -> FileLock:
        return FileLock(tmp_path / "lock", clock or SystemClock(), lease=lease)

    return make


class TestFileLock(BuildLockContract):
    """The contract on files."""


def child(folder: Path, lease: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(lease)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_long_build_keeps_its_lock(make_lock: MakeLock) -> None:
    clock = FakeClock()
    lease = make_lock(clock).acquire(stranger())

    for _ in range(60):
        clock.advance(60)
        lease.renewal.beat()  # type: ignore[attr-defined]
        with pytest.raises(LockHeld):
            make_lock(clock).acquire(me("b-2"))

    assert not lease.lost()
    assert lease.release()


def test_a_silent_holder_is_replaced_after_the_lease_and_not_before(make_lock: MakeLock) -> None:
    clock = FakeClock()
    old = make_lock(clock).acquire(stranger())
    clock.advance(299)
    with pytest.raises(LockHeld):
        make_lock(clock).acquire(me("b-2"))
    clock.advance(2)

    new = make_lock(clock).acquire(me("b-2"))

    assert old.lost()
    assert not old.release()
    assert new.release()


def test_a_corrected_wall_clock_does_not_end_a_lease_on_this_machine(make_lock: MakeLock) -> None:
    clock = FakeClock()
    lease = make_lock(clock).acquire(me("b-1"))
    clock.set_back(-86400)

    with pytest.raises(LockHeld):
        make_lock(clock).acquire(me("b-2"))

    assert lease.release()


def test_a_machine_that_slept_keeps_a_lock_nobody_took(make_lock: MakeLock) -> None:
    clock = FakeClock()
    lease = make_lock(clock).acquire(me("b-1"))
    clock.advance(4000)

    assert not lease.lost()
    assert lease.release()


def test_fences_survive_the_record(make_lock: MakeLock, tmp_path: Path) -> None:
    first = make_lock().acquire(me("b-1"))
    (tmp_path / "lock" / "lock.json").unlink()

    second = make_lock().acquire(me("b-2"))

    assert second.fence > first.fence
    assert first.renewal.beat() is None and first.lost()  # type: ignore[attr-defined]
    second.release()


def test_a_deleted_record_is_put_back_by_its_holder(make_lock: MakeLock, tmp_path: Path) -> None:
    lease = make_lock().acquire(me("b-1"))
    (tmp_path / "lock" / "lock.json").unlink()

    lease.renewal.beat()  # type: ignore[attr-defined]

    assert not lease.lost()
    with pytest.raises(LockHeld):
        make_lock().acquire(me("b-2"))
    lease.release()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"holder": 1}'])
def test_a_damaged_record_does_not_lock_the_project_for_ever(make_lock: MakeLock, tmp_path: Path, text: bytes) -> None:
    first = make_lock().acquire(me("b-1"))
    (tmp_path / "lock" / "lock.json").write_bytes(text)

    second = make_lock().acquire(me("b-2"))

    assert second.fence > first.fence
    second.release()


def test_a_killed_build_leaves_a_lock_the_next_one_takes_at_once(make_lock: MakeLock, tmp_path: Path) -> None:
    process = child(tmp_path / "lock", 300)
    with pytest.raises(LockHeld) as caught:
        make_lock().acquire(me("b-2"))
    assert f"pid {process.pid}" in caught.value.why
    process.kill()
    process.wait()

    assert make_lock().acquire(me("b-2")).release()


def test_a_paused_holder_learns_on_waking_that_the_lock_is_gone(make_lock: MakeLock, tmp_path: Path) -> None:
    process = child(tmp_path / "lock", 0.5)
    os.kill(process.pid, signal.SIGSTOP)
    second = make_lock(lease=0.5).acquire(me("b-2"), wait=30)
    os.kill(process.pid, signal.SIGCONT)

    said, _ = process.communicate("x", timeout=30)

    assert said.strip() == "True"
    assert not second.lost()
    second.release()


def test_the_record_is_readable_by_people_and_tools(make_lock: MakeLock, tmp_path: Path) -> None:
    lease = make_lock().acquire(me("b-1", target="app"))

    holder = json.loads((tmp_path / "lock" / "lock.json").read_bytes())["holder"]

    assert {"build", "pid", "host", "since", "user", "target", "fence", "renewed"} <= set(holder)
    lease.release()


def test_a_lock_that_cannot_be_given_back_is_no_failure_of_the_build(make_lock: MakeLock, tmp_path: Path) -> None:
    lease = make_lock().acquire(me("b-1"))
    (tmp_path / "lock").rename(tmp_path / "elsewhere")
    (tmp_path / "lock").write_text("in the way")

    assert not lease.release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(LocalError) as caught:
        FileLock(tmp_path / "file" / "lock", SystemClock()).acquire(me("b"))

    assert str(tmp_path / "file" / "lock") in caught.value.what


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (-5, "0 s"), (90, "90 s"), (300, "5 min"), (9000, "2.5 h")])
def test_ages_are_told_in_words(seconds: float, words: str) -> None:
    assert age(seconds) == words


def test_a_working_copy_is_held_by_one_build(tmp_path: Path) -> None:
    holder = me("b-1", target="app")
    with (
        holding(tmp_path, SystemClock(), holder=holder),
        pytest.raises(LockHeld) as caught,
        holding(tmp_path, FakeClock(), wait=5),
    ):
        pass

    for part in (f"{holder.user}@{holder.host}", f"pid {os.getpid()}", "build b-1 of app", "since 20", " ago)"):
        assert part in caught.value.why
    with holding(tmp_path, SystemClock()):
        pass
