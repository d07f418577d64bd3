"""One build at a time, and the lock file that says whose."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator import build as building
from coordinator.request import Request
from tests.console import ended
from tests.fakes.observer import RecordingObserver
from tests.scenarios.context_project import FEW, LOCK, ContextProject
from tests.waiting import until


def test_the_lock_file_says_who_builds_and_goes_with_the_build(small: ContextProject) -> None:
    """S3-31, S3-34 (C02): it tells; what decides is the build lock."""
    seen: list[dict] = []

    class Looking(RecordingObserver):
        def started(self, job: str, worker: str) -> None:
            seen.append(json.loads(small.read(LOCK)))

    small.third_paragraph("backend/rule-01")

    building.build(small.project(), Request(), Looking())

    assert {tuple(told) for told in seen} == {("pid", "timestamp", "hostname")}
    assert (seen[0]["pid"], seen[0]["hostname"]) == (os.getpid(), socket.gethostname())
    assert abs(datetime.fromisoformat(seen[0]["timestamp"]) - datetime.now(UTC)).total_seconds() < 60
    assert not small.exists(LOCK)


def test_a_lock_file_that_a_dead_build_left_holds_nobody_up(small: ContextProject) -> None:
    """S3-33, S3-35."""
    small.write(LOCK, json.dumps({"pid": 1, "timestamp": datetime.now(UTC).isoformat(), "hostname": "elsewhere"}))
    small.third_paragraph("backend/rule-01")

    assert small.build().status == "ok"
    assert not small.exists(LOCK)


HELD = """
[build]
lease = 1.0

[[rule]]
name = "held"
inputs = ["CLAUDE.md"]
command = "touch {folder}/begun; while [ -e {folder}/hold ]; do sleep 0.02; done; cp {{in}} {{out}}"
outputs = ["build/held"]
"""


@pytest.mark.live
def test_w4_06_one_build_at_a_time_and_a_late_commit_is_refused(tmp_path: Path) -> None:
    """W4-06: refused at once with who holds the lock, queued with --wait; a holder that slept finds its lock gone.

    Four contenders for a stale lock, 500 rounds, and a build longer than its lease: tests/contracts/build_lock.py and
    test_file_lock.py.
    """
    hold, begun = tmp_path / "hold", tmp_path / "begun"
    hold.touch()
    project = ContextProject(tmp_path / "tree", rules=FEW, settings=HELD.format(folder=tmp_path))
    other = ContextProject(tmp_path / "other", cache=project.cache, rules=FEW, settings=HELD.format(folder=tmp_path))
    first = project.console.start("build", "--json")
    until(begun.exists, what="the first build to be in the middle")

    began = time.perf_counter()
    refused = other.console.run("build")
    took = time.perf_counter() - began
    queued = other.console.start("build", "--json", "--wait", "30")
    first.send_signal(signal.SIGSTOP)  # its lease of a second runs out
    begun.unlink()
    until(begun.exists, what="the second build to be in the middle")
    hold.unlink()
    second = ended(queued)
    pointer = (project.records / "current.json").read_bytes()
    first.send_signal(signal.SIGCONT)
    late = ended(first)

    assert (refused.code, "Another build is in progress" in refused.err) == (9, True)
    assert f"@{socket.gethostname()}, pid {first.pid}, " in refused.err
    assert " s ago)" in refused.err
    assert took < 5  # half of it is the start of a process; the limit of a second is for a machine of one's own
    assert (second.code, second.json()["revision"]) == (0, "rev-0001")
    assert (late.code, "the build lock was lost" in late.err) == (32, True)
    assert (project.records / "current.json").read_bytes() == pointer

    hold.touch()
    begun.unlink()
    other.third_paragraph(FEW[0])
    killed = other.console.start("build")
    until(begun.exists, what="the third build to be in the middle")
    killed.kill()
    ended(killed)
    hold.unlink()
    assert other.console.run("build", "--json").json()["revision"] == "rev-0002"
