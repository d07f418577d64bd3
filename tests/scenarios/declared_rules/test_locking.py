"""The build lock: what it says, whom it blocks, when it is stale; two builds at once."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from coordinator import build as building
from coordinator.lock.lease import Holder, me
from coordinator.request import Request
from shared import canonical
from shared.clock import SystemClock, from_iso, iso
from shared.errors import LocalError, LockHeld
from shared.model.graph import BuildGraph
from shared.model.plan import Plan
from tests.console import ended
from tests.fakes.observer import RecordingObserver
from tests.scenarios.rule_project import DB, RuleProject
from tests.traps.arena import Gate
from tests.waiting import until


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A place where jobs of a gated project wait while it is shut."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.path.unlink(missing_ok=True)
    until(lambda: not _end_all(gate), what="the jobs at the gate to end")


def _end_all(gate: Gate) -> list[int]:
    waiting = gate.waiting()
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    return waiting


class Onlooker(RecordingObserver):
    """Asks, when a build begins, who holds the lock."""

    def __init__(self, project: RuleProject) -> None:
        super().__init__()
        self.project = project
        self.holder: Holder | None = None
        self.record = ""

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        super().planned(plan, graph, build=build, revision=revision)
        self.holder = self.project.project().lock().current()
        self.record = (self.project.records / "lock.json").read_text()


def watched(project: RuleProject) -> Onlooker:
    """Build, looking at the lock meanwhile."""
    onlooker = Onlooker(project)
    building.build(project.project(), Request(), onlooker)
    return onlooker


def test_lock_created_on_build_start(project: RuleProject) -> None:
    """S3-44, box 1."""
    onlooker = watched(project)

    assert onlooker.holder is not None
    assert onlooker.holder.gone() is False


def test_lock_contains_pid_timestamp_and_hostname(project: RuleProject) -> None:
    """S3-44, box 2; and what else tells people whose it is."""
    onlooker = watched(project)

    holder = onlooker.holder
    assert holder is not None
    assert (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
    assert abs(from_iso(holder.since) - time.time()) < 60
    assert (holder.fence, bool(holder.user)) == (1, True)
    assert all(word in onlooker.record for word in ('"pid"', '"host"', '"since"'))


def test_active_lock_blocks_new_builds(built: RuleProject) -> None:
    """S3-44, box 3 (S3-32): the seed's sentence, who holds it, and nothing written."""
    built.rule("backend/db", "Later.")
    before, stored = built.tree(), built.stored()
    lease = built.project().lock().acquire(me("other1"))

    said = built.console.run("build")

    lease.release()
    assert said.code == 9
    assert "Another build is in progress" in said.err
    assert f"pid {os.getpid()}" in said.err
    assert "build other1" in said.err
    assert "--wait" in said.err
    assert built.tree() == before
    assert {path: data for path, data in built.stored().items() if "lock" not in path} == {
        path: data for path, data in stored.items() if "lock" not in path
    }


def stale(project: RuleProject, seconds: float) -> None:
    """A lock of this living process, last renewed so many seconds ago."""
    clock = SystemClock()
    then = iso(clock.now() - seconds)
    holder = msgspec.structs.replace(me("old"), since=then, renewed=then, fence=7)
    project.records.mkdir(parents=True, exist_ok=True)
    held = {"holder": msgspec.to_builtins(holder), "beat": clock.monotonic() - seconds}
    (project.records / "lock.json").write_bytes(canonical.encode(held))


def test_stale_lock_is_removed(project: RuleProject) -> None:
    """S3-44, box 4 (S3-33): not renewed for five minutes, although its process lives; the next fence is higher."""
    stale(project, 301)

    onlooker = watched(project)

    assert onlooker.holder is not None
    assert onlooker.holder.fence == 8
    assert project.manifest().fence == 8


def test_a_lock_of_less_than_five_minutes_is_not_stale(project: RuleProject) -> None:
    """S3-32, the other side of the limit."""
    stale(project, 290)

    with pytest.raises(LockHeld, match="Another build is in progress"):
        project.build()


def test_lock_is_released_on_success(project: RuleProject) -> None:
    """S3-44, box 5."""
    project.build()

    assert project.project().lock().current() is None
    assert not (project.records / "lock.json").exists()


def test_lock_is_released_on_failure(project: RuleProject) -> None:
    """S3-44, box 6: after a failed job, and after an error."""
    project.write(".context/rules/backend/db.md", "no front matter\n")
    report = project.build()
    after_job = project.project().lock().current()
    project.rule("backend/db", "Mended.")
    (project.root / DB / "in the way").mkdir(parents=True)
    with pytest.raises(LocalError):
        project.build()

    assert (report.status, after_job) == ("failed", None)
    assert project.project().lock().current() is None


@pytest.fixture
def gated(tmp_path: Path, gate: Gate) -> RuleProject:
    """Its jobs wait at the gate when that is shut."""
    return RuleProject(tmp_path / "tree", gate=gate.command)


def test_two_concurrent_builds_the_second_is_blocked(gated: RuleProject, gate: Gate) -> None:
    """S3-46, box 1: from the same working copy, and from another one of the same project and store."""
    elsewhere = RuleProject(gated.root.parent / "other", cache=gated.cache, gate=gate.command)
    gate.shut()
    first = gated.console.start("build", "-j", "1")
    gate.await_step()

    here = gated.console.run("build")
    there = elsewhere.console.run("build")
    looked = gated.console.run("lock", "show", "--json")
    gate.open()
    won = ended(first)

    assert (here.code, there.code) == (9, 9)
    assert "Another build is in progress" in here.err
    assert "Another build is in progress" in there.err
    for said in (here, there):
        assert re.search(rf"why: \S+@\S+, pid {first.pid}, build [0-9a-f]{{6}}, since \S+Z \(\d+ s ago\)", said.err)
    assert (looked.code, looked.json()["holder"]["pid"]) == (9, first.pid)
    assert won.code == 0
    assert not elsewhere.exists("CLAUDE.md")
    assert gated.manifest().revision == 1


@pytest.mark.fault
def test_build_after_a_stale_lock_proceeds(gated: RuleProject, gate: Gate) -> None:
    """S3-46, box 2 (S3-35): the first build is killed and cleans nothing up; the next need not wait five minutes."""
    gate.shut()
    first = gated.console.start("build", "-j", "1")
    gate.await_step()
    first.kill()
    ended(first)
    gate.remove()
    assert (gated.records / "lock.json").exists()

    said = gated.console.run("build")

    assert said.code == 0
    assert gated.manifest().fence == 2
    assert not (gated.records / "lock.json").exists()
