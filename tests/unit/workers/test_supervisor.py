"""What a slot and its supervisor promise: one command, its limits, and nothing left alive."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.waiting import until
from workers.execute import supervisor as supervisor_module
from workers.execute.slot import Ended, Request, Slot, SlotPool

PATH = os.environ["PATH"]
_numbers = itertools.count(1)


@pytest.fixture
def slot() -> Iterator[Slot]:
    slot = Slot()
    yield slot
    slot.close()


def request(folder: Path, *argv: str, timeout: float = 20.0, limit: int = 8 << 20, **env: str) -> Request:
    return Request(
        argv=argv,
        cwd=str(folder),
        env={"PATH": PATH, **env},
        stdout=str(folder / "stdout"),
        stderr=str(folder / "stderr"),
        timeout=timeout,
        limit=limit,
    )


def token() -> str:
    """An argument for sleep that no other process has."""
    return f"9{os.getpid()}{next(_numbers)}.5"


def survivors(mark: str) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(mark in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(words))
    return found


def test_a_cancel_that_comes_with_the_command_ends_it(slot: Slot, tmp_path: Path) -> None:
    """Both lie in the pipe before a supervisor that is slow to start reads: they arrive in one piece."""
    wanted = json.dumps(msgspec.to_builtins(request(tmp_path, "sleep", token(), timeout=5.0))).encode()
    supervisor = [sys.executable, "-I", "-S", str(Path(supervisor_module.__file__ or ""))]

    with subprocess.Popen(supervisor, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(wanted + b'\n{"cancel":true}\n')
        process.stdin.flush()
        answer = process.stdout.readline()
        process.stdin.close()

    assert msgspec.json.decode(answer, type=Ended).cancelled


def test_a_supervisor_that_somebody_stopped_goes_on_before_long(slot: Slot, tmp_path: Path) -> None:
    gate, ended = tmp_path / "gate", list[Ended]()
    os.mkfifo(gate)
    run = threading.Thread(target=lambda: ended.append(slot.run(request(tmp_path, "cat", str(gate)))), daemon=True)
    run.start()
    writer = os.open(gate, os.O_WRONLY)
    assert slot._process is not None
    supervisor = psutil.Process(slot._process.pid)

    supervisor.suspend()
    os.close(writer)
    run.join(20)

    assert supervisor.status() != psutil.STATUS_STOPPED
    assert [(one.exit_code, one.lost) for one in ended] == [(0, False)]


def test_closing_a_slot_does_not_wait_for_a_stopped_supervisor(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "true"))
    assert slot._process is not None
    supervisor = psutil.Process(slot._process.pid)
    supervisor.suspend()
    began = time.monotonic()

    slot.close()

    assert time.monotonic() - began < 10
    assert not supervisor.is_running()


DAEMONS = {
    "in the background": "sleep {t} &",
    "in a session of its own": "setsid sleep {t} &",
    "after a double fork": (
        '{python} -c \'import os\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: os.execvp("sleep", ["sleep", "{t}"])\''
    ),
    "deaf to polite signals": "sh -c 'trap \"\" TERM HUP INT; sleep {t}; sleep {t}' &",
    "stopped": "setsid sh -c 'kill -STOP $$; sleep {t}' &",
    "with all files closed, in another folder": (
        '{python} -c \'import os\nif os.fork() == 0:\n os.setsid(); os.chdir("/"); os.closerange(0, 100)\n'
        ' os.execvp("sleep", ["sleep", "{t}"])\''
    ),
    "started again and again": "setsid sh -c 'while :; do setsid sleep {t} & sleep 0.01; done' &",
}


@pytest.mark.parametrize("ending", ["exits", "is too slow"])
@pytest.mark.parametrize("kind", DAEMONS)
def test_no_process_survives_its_command(slot: Slot, tmp_path: Path, kind: str, ending: str) -> None:
    mark = token()
    start = DAEMONS[kind].replace("{python}", sys.executable).replace("{t}", mark)
    wait = "sleep 0.15; exit 0" if ending == "exits" else f"sleep {mark}"

    ended = slot.run(request(tmp_path, "sh", "-c", f"{start}\n{wait}", timeout=20.0 if ending == "exits" else 0.4))

    assert survivors(mark) == []
    assert ended.timed_out == (ending == "is too slow")
    assert ended.stragglers >= 1


def test_a_fork_bomb_is_put_out(slot: Slot, tmp_path: Path) -> None:
    mark = token()
    bomb = f"f() {{ sh -c ': {mark}; sleep {mark}' & [ $1 -gt 60 ] || f $(($1 + 1)); wait; }}; f 1"

    ended = slot.run(request(tmp_path, "sh", "-c", bomb, timeout=0.5))

    assert ended.timed_out
    assert survivors(mark) == []


def test_exit_code_signal_and_times_are_told(slot: Slot, tmp_path: Path) -> None:
    busy = "x=0; while [ $x -lt 20000 ]; do x=$((x+1)); done; echo out; echo err >&2; exit 7"

    ended = slot.run(request(tmp_path, "sh", "-c", busy))
    killed = slot.run(request(tmp_path, "sh", "-c", "kill -SEGV $$"))

    assert (ended.exit_code, ended.signal) == (7, 0)
    assert ended.seconds > 0
    assert ended.user + ended.sys > 0
    assert ended.max_rss_kb > 500
    assert (killed.exit_code, killed.signal) == (-1, signal.SIGSEGV)


def test_each_stream_has_its_file_and_an_empty_one_has_none(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "sh", "-c", "echo out"))

    assert (tmp_path / "stdout").read_text() == "out\n"
    assert not (tmp_path / "stderr").exists()


def test_a_time_limit_kills_a_stopped_command(slot: Slot, tmp_path: Path) -> None:
    ended = slot.run(request(tmp_path, "sh", "-c", "kill -STOP $$", timeout=0.2))

    assert ended.timed_out
    assert ended.signal == signal.SIGKILL
    assert ended.seconds < 5


def test_a_cancel_kills_at_once(slot: Slot, tmp_path: Path) -> None:
    mark, cancelled, outcome = token(), threading.Event(), list[Ended]()
    job = request(tmp_path, "sh", "-c", f"setsid sleep {mark} & sleep {mark}")
    thread = threading.Thread(target=lambda: outcome.append(slot.run(job, cancelled.is_set)))
    thread.start()
    until(lambda: len(survivors(mark)) >= 3)

    cancelled.set()
    thread.join(10)

    assert outcome[0].cancelled
    assert survivors(mark) == []


def test_a_cancel_that_comes_too_late_does_not_hit_the_next_command(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "true"))

    slot.cancel()
    ended = slot.run(request(tmp_path, "sh", "-c", "sleep 0.05; exit 3"))

    assert (ended.exit_code, ended.cancelled) == (3, False)


def test_of_a_flood_the_beginning_and_the_end_are_kept(slot: Slot, tmp_path: Path) -> None:
    command = "echo first; head -c 3000000 /dev/zero; echo last; echo done >&2; exit 4"
    ended = slot.run(request(tmp_path, "sh", "-c", command, limit=1 << 20))

    kept, dropped = (tmp_path / "stdout").read_bytes(), 3_000_011 - (1 << 20)
    mark = b"\n[%d bytes were dropped here]\n" % dropped
    assert (ended.exit_code, ended.cut) == (4, (dropped, 0))
    assert kept.startswith(b"first\n\0")
    assert kept.endswith(b"\0last\n")
    assert (len(kept), kept.index(mark)) == ((1 << 20) + len(mark), 1 << 19)
    assert (tmp_path / "stderr").read_text() == "done\n"


@pytest.mark.parametrize("size", [512, 513, 1023, 1024])
def test_what_fits_is_kept_as_it_is(slot: Slot, tmp_path: Path, size: int) -> None:
    text = "".join(chr(33 + number % 90) for number in range(size))

    ended = slot.run(request(tmp_path, "printf", "%s", text, limit=1024))

    assert (tmp_path / "stdout").read_text() == text
    assert ended.cut == (0, 0)


def test_a_command_that_is_not_there_is_named(slot: Slot, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")

    missing = slot.run(request(tmp_path, "no-such-tool"))
    relative = slot.run(request(tmp_path, "./nowhere"))
    refused = slot.run(request(tmp_path, "./plain"))

    assert missing.error_errno == relative.error_errno == 2
    assert "No such file" in missing.error
    assert refused.error_errno == 13
    assert slot.run(request(tmp_path, "true")).exit_code == 0


def test_words_that_cannot_be_passed_are_refused(slot: Slot, tmp_path: Path) -> None:
    nul = slot.run(request(tmp_path, "echo", "a\0b"))
    name = slot.run(request(tmp_path, "echo", **{"A=B": "x"}))
    huge = slot.run(request(tmp_path, "echo", "x" * (1 << 21)))

    assert "null" in nul.error
    assert name.error
    assert "too long" in huge.error
    assert slot.run(request(tmp_path, "true")).exit_code == 0


def test_a_command_gets_its_environment_and_nothing_else(
    slot: Slot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_SECRET", "tweet")

    slot.run(request(tmp_path, "env", GREETING="grüß \udc80"))

    seen = (tmp_path / "stdout").read_bytes()
    assert set(seen.splitlines()) == {f"PATH={PATH}".encode(), b"GREETING=gr\xc3\xbc\xc3\x9f \x80"}
    supervisor = slot._process
    assert supervisor is not None
    assert b"CANARY" not in Path(f"/proc/{supervisor.pid}/environ").read_bytes()


def test_a_command_gets_no_files_no_input_and_a_plain_umask(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "sh", "-c", "umask; wc -c; ls /proc/self/fd; ulimit -c"))

    assert (tmp_path / "stdout").read_text().split() == ["0022", "0", "0", "1", "2", "3", "0"]


def test_paths_of_any_letters_work(slot: Slot, tmp_path: Path) -> None:
    folder = tmp_path / "ä b'c$d"
    folder.mkdir()

    ended = slot.run(request(folder, "sh", "-c", 'pwd; echo "$1"', "x", 'ü\n"q"'))

    assert ended.exit_code == 0
    assert (folder / "stdout").read_text() == f'{folder}\nü\n"q"\n'


def test_a_supervisor_that_dies_loses_its_command_and_is_replaced(slot: Slot, tmp_path: Path) -> None:
    mark = token()
    job = request(tmp_path, "sh", "-c", f"setsid sleep {mark} & kill -9 $PPID; sleep {mark}")

    lost = slot.run(job)
    again = slot.run(request(tmp_path, "true"))

    assert lost.lost
    until(lambda: survivors(mark) == [])
    assert again.exit_code == 0


def test_a_supervisor_that_died_while_idle_is_replaced(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "true"))
    assert slot._process is not None
    slot._process.kill()
    slot._process.wait()

    ended = slot.run(request(tmp_path, "true"))

    assert ended.exit_code == 0


WORKER = """
import os, sys
from workers.execute.slot import Request, Slot
folder, mark = sys.argv[1:]
Slot().run(Request(("sh", "-c", f"setsid sleep {mark} & sleep {mark}"), folder, {"PATH": os.environ["PATH"]},
    folder + "/o", folder + "/e", 60.0))
"""


def test_a_worker_killed_outright_takes_its_command_with_it(tmp_path: Path) -> None:
    mark = token()
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), mark])
    until(lambda: len([line for line in survivors(mark) if line.startswith("sleep")]) == 2)

    worker.kill()
    worker.wait()

    until(lambda: survivors(mark) == [])


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


def test_a_slot_with_a_supervisor_goes_before_one_that_would_have_to_start_it(tmp_path: Path) -> None:
    pool = SlotPool(3)
    with pool.slot() as warm:
        warm.run(request(tmp_path, "true"))
    cold = [pool.acquire() for _ in range(3)]
    for slot in (cold[0], *cold[1:]):
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
