"""Commands that are cancelled, and supervisors and workers that are stopped or killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil

from tests.unit.workers.supervisor.commands import request, survivors, token
from tests.waiting import until
from workers.execute import supervisor as supervisor_module
from workers.execute.slot import Ended, Slot


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


def test_a_cancel_that_comes_too_late_does_not_hit_the_next_command(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "true"))

    slot.cancel()
    ended = slot.run(request(tmp_path, "sh", "-c", "sleep 0.05; exit 3"))

    assert (ended.exit_code, ended.cancelled) == (3, False)


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
