"""The event log on files, its archive and replay, and the records of runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from coordinator import refnames
from coordinator.commit.publish import Base, load
from coordinator.history import replay, runs
from coordinator.history.archive import archive, archived
from coordinator.history.file_log import FileLog
from coordinator.history.runs import FailedJob, ProgressWriter
from shared import hashing
from shared.errors import CorruptRecord, StoreUnavailable
from shared.model.changes import ChangeSet
from shared.model.event import ArtefactEvent, InputEvent
from shared.model.graph import BuildGraph, Recipe
from shared.model.plan import NeverBuilt, Plan, PlannedJob
from shared.storage.disk_refs import DiskRefs
from shared.storage.memory import MemoryRefs
from shared.storage.run_records import FAILED_KEPT
from tests.contracts.commit_race import NOW, commit
from tests.contracts.event_log import EventLogContract, OpenLog, artefact, source
from tests.fakes.clock import FakeClock


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def open_log(tmp_path: Path, warnings: list[str]) -> OpenLog:
    return lambda: FileLog(tmp_path / "events", warnings.append)


class TestFileLog(EventLogContract):
    """The contract on files."""


def test_an_unfinished_last_line_is_dropped_with_a_warning(
    tmp_path: Path, open_log: OpenLog, warnings: list[str]
) -> None:
    open_log().append([source("a.c"), source("b.c")])
    path = tmp_path / "events" / "inputs.log"
    os.truncate(path, path.stat().st_size - 10)

    assert [entry.event for entry in open_log().read()] == [source("a.c")]

    assert str(path) in warnings[0]


def test_appending_after_an_unfinished_line_begins_a_line_of_its_own(tmp_path: Path, open_log: OpenLog) -> None:
    open_log().append([source("a.c"), source("b.c")])
    path = tmp_path / "events" / "inputs.log"
    os.truncate(path, path.stat().st_size - 10)

    open_log().append([source("c.c")])

    assert [entry.event for entry in open_log().read()] == [source("a.c"), source("c.c")]


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_bad_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path, open_log: OpenLog, trimmed: bool) -> None:
    log = open_log()
    log.append([source("a.c")])
    if trimmed:
        log.trim(next(iter(log.read())).cursor)
    path = tmp_path / "events" / "inputs.log"
    with path.open("ab") as file:
        file.write(b"{nonsense}\n")
    log.append([source("b.c")])

    with pytest.raises(CorruptRecord) as caught:
        list(log.read())

    assert caught.value.at == f"{path}:2"


def test_a_log_that_cannot_be_read_does_not_undo_the_commit(tmp_path: Path, open_log: OpenLog) -> None:
    log, refs = open_log(), MemoryRefs()
    log.append([source("a.c")])
    path = tmp_path / "events" / "inputs.log"
    path.write_bytes(b"{nonsense}\n" + path.read_bytes())

    problems = archive(refs, log, "p", "main", 1)

    assert "rev-0001" in problems[0] and f"{path}:1" in problems[0]
    assert archived(refs, "p", "main", 1) is None


APPEND = """
import sys
from pathlib import Path
from coordinator.history.file_log import FileLog
from tests.contracts.event_log import source
log = FileLog(Path(sys.argv[1]), print)
for turn in range(50):
    log.append([source(f"{sys.argv[2]}/{turn}"), source("x" * 9000)])
"""


def test_appenders_in_many_processes_lose_no_line(tmp_path: Path, open_log: OpenLog, warnings: list[str]) -> None:
    command = [sys.executable, "-c", APPEND, str(tmp_path / "events")]
    children = [subprocess.Popen([*command, str(number)]) for number in range(4)]

    assert [child.wait() for child in children] == [0] * 4

    assert len(list(open_log().read())) == 400
    assert warnings == []


ARCHIVE = """
import sys
from pathlib import Path
from coordinator.history.archive import archive
from coordinator.history.file_log import FileLog
from shared.storage.disk_refs import DiskRefs
root = Path(sys.argv[1])
archive(DiskRefs(root), FileLog(root / "events", print), "p", "main", 1)
"""


@pytest.mark.parametrize("name", ["events.archived", "events.trimmed"])
def test_a_build_killed_while_archiving_neither_loses_nor_repeats_events(
    tmp_path: Path, open_log: OpenLog, name: str
) -> None:
    open_log().append([source("a.c"), artefact("a.o")])
    env = {"WINDROW_FAILPOINT": f"{name}=kill"}
    assert subprocess.run([sys.executable, "-c", ARCHIVE, str(tmp_path)], env=env, check=False).returncode == -9
    refs = DiskRefs(tmp_path)
    open_log().append([source("b.c", build="b-2", revision=2)])

    assert archive(refs, open_log(), "p", "main", 2) == ()

    assert archived(refs, "p", "main", 1) == [source("a.c"), artefact("a.o")]
    assert archived(refs, "p", "main", 2) == [source("b.c", build="b-2", revision=2)]


class Refusing(MemoryRefs):
    """A store that takes no writes."""

    def write(self, name: str, data: bytes) -> None:
        raise StoreUnavailable("the store is away")


def test_events_that_could_not_be_archived_go_with_the_next_revision(open_log: OpenLog) -> None:
    log = open_log()
    log.append([source("a.c")])
    assert "rev-0001" in archive(Refusing(), log, "p", "main", 1)[0]
    refs = MemoryRefs()

    archive(refs, log, "p", "main", 2)

    assert archived(refs, "p", "main", 2) == [source("a.c")]


def tell(refs: MemoryRefs, log: FileLog, base: Base, build: str, *, commits: bool = True) -> Base:
    """A build of the one file of `draft`, with its events; committed or not."""
    done = commit(refs, base, build, base.fence + 1) if commits else base
    revision = done.revision if commits else base.next_revision
    made = hashing.of_bytes(build.encode())
    log.append([ArtefactEvent("a.o", revision, "", made, 5, "executed", "cc:a.o", build, NOW)])
    if base.revision == 0:
        log.append([InputEvent("src/a.c", revision, hashing.of_bytes(b"a"), "added", build, NOW)])
    if commits:
        assert archive(refs, log, "p", "main", revision) == ()
    return done


def test_events_replay_to_the_manifest(tmp_path: Path, warnings: list[str]) -> None:
    refs, log = MemoryRefs(), FileLog(tmp_path, warnings.append)
    base = tell(refs, log, load(refs, "p", "main"), "b-1")
    base = tell(refs, log, base, "b-failed", commits=False)
    base = tell(refs, log, base, "b-3")
    assert base.manifest is not None

    assert replay.check(refs, base.manifest) == replay.Replay(())


def test_a_manifest_that_events_do_not_explain_is_told(tmp_path: Path, warnings: list[str]) -> None:
    refs = MemoryRefs()
    base = tell(refs, FileLog(tmp_path, warnings.append), load(refs, "p", "main"), "b-1")
    assert base.manifest is not None
    other = msgspec.structs.replace(base.manifest, sources={})

    found = replay.check(refs, other)

    assert len(found.differences) == 1 and "source src/a.c" in found.differences[0]


def test_missing_archives_are_gaps_not_differences(tmp_path: Path, warnings: list[str]) -> None:
    refs = MemoryRefs()
    base = tell(refs, FileLog(tmp_path, warnings.append), load(refs, "p", "main"), "b-1")
    assert base.manifest is not None
    refs.delete(refnames.events("p", "main", 1, "inputs"))

    assert replay.check(refs, base.manifest) == replay.Replay((), (1,))


def test_removed_and_deleted_things_leave_the_state() -> None:
    removed = msgspec.structs.replace(artefact("a.o"), status="removed")
    deleted = msgspec.structs.replace(source("a.c"), change="deleted")
    failed = msgspec.structs.replace(artefact("b.o"), status="failed")

    state = replay.rebuild([source("a.c"), artefact("a.o"), artefact("b.o"), failed, removed, deleted])

    assert state == replay.State({}, {"b.o": "sha256:b.o"})


def writer(refs: MemoryRefs, clock: FakeClock, build: str = "b-1", revision: int = 2) -> ProgressWriter:
    return ProgressWriter(
        refs, clock, project="p", branch="main", revision=revision, base_revision=1, build=build, jobs=["a", "b", "c"]
    )


def test_progress_is_recorded_from_start_to_end() -> None:
    refs, clock = MemoryRefs(), FakeClock()
    progress = writer(refs, clock)
    (begun,), _ = runs.list_runs(refs, "p", "main")

    progress.done("a", executed=True)
    clock.advance(5)
    progress.started("b")
    (going,), _ = runs.list_runs(refs, "p", "main")
    progress.failed(FailedJob("b", 2, "boom"))
    progress.skipped("c")
    progress.end("failed")

    (ended,), problems = runs.list_runs(refs, "p", "main")
    assert (begun.status, begun.jobs, begun.revision) == ("running", dict.fromkeys("abc", "waiting"), "rev-0002")
    assert (going.executed, going.jobs) == (1, {"b": "running", "c": "waiting"})
    assert (ended.status, ended.executed, ended.failed, ended.skipped) == ("failed", 1, 1, 1)
    assert ended.failures == (FailedJob("b", 2, "boom"),) and ended.seconds == 5.0
    assert ended.started < ended.finished and not problems
    assert runs.failed_jobs(refs, "p", "main") == {"b": "b-1"}


def test_progress_is_not_written_for_every_job() -> None:
    refs, clock = MemoryRefs(), FakeClock()
    progress = writer(refs, clock)
    before = dict(refs.contents)

    progress.started("a")
    progress.done("a", executed=False)

    assert refs.contents == before


def test_a_store_that_takes_no_progress_does_not_disturb_the_build() -> None:
    progress = writer(Refusing(), FakeClock())

    progress.end("ok")

    assert "the store is away" in progress.problem


class Slow(MemoryRefs):
    """A store that takes a record once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def write(self, name: str, data: bytes) -> None:
        assert self.gate.wait(20)
        super().write(name, data)


def test_a_slow_store_does_not_hold_up_the_build_but_hears_how_it_ended() -> None:
    refs, clock = Slow(), FakeClock()
    with ThreadPoolExecutor(1) as pool:
        progress = ProgressWriter(
            refs, clock, project="p", branch="main", revision=2, base_revision=1, build="b-1", jobs=["a"], behind=pool
        )
        clock.advance(60)
        progress.done("a", executed=True)
        assert not refs.contents
        refs.gate.set()
        progress.end("ok")

        (run,), _ = runs.list_runs(refs, "p", "main")

    assert (run.status, run.executed, run.jobs) == ("ok", 1, {})


def test_builds_that_failed_stay_though_the_next_takes_their_number() -> None:
    refs, clock = MemoryRefs(), FakeClock()
    for number in range(FAILED_KEPT + 5):
        failing = writer(refs, clock, f"bad-{number}")
        failing.failed(FailedJob("a", 1, f"log {number}"))
        failing.end("failed")
        clock.advance(60)
    writer(refs, clock, "good").end("ok")

    listed, problems = runs.list_runs(refs, "p", "main", limit=100)

    last = range(FAILED_KEPT + 4, 4, -1)
    assert [run.build for run in listed] == ["good", *(f"bad-{number}" for number in last)]
    assert [failure.log for run in listed for failure in run.failures] == [f"log {number}" for number in last]
    assert not problems


def test_runs_are_listed_newest_first_and_dead_ones_are_not_called_running() -> None:
    refs = MemoryRefs()
    for revision in (9999, 10000, 2):
        writer(refs, FakeClock(), f"b-{revision}", revision)
    refs.contents["projects/p/main/runs/rev-0003-progress.json"] = b"{"

    listed, problems = runs.list_runs(refs, "p", "main", holder="b-10000")

    assert [(run.build, run.status) for run in listed] == [
        ("b-10000", "running"),
        ("b-9999", "interrupted"),
        ("b-2", "interrupted"),
    ]
    assert "rev-0003" in problems[0]
    assert len(runs.list_runs(refs, "p", "main", limit=1).runs) == 1


def test_equal_plans_have_equal_records() -> None:
    graph = BuildGraph([Recipe("cc:a.o", "cc", ("cc",), ("a.o",), ("a.c",))])
    job = PlannedJob("cc:a.o", "cc", 0, (NeverBuilt(),))
    plan = Plan(0, "", (("cc:a.o",),), {"cc:a.o": job}, {"cc:a.o": 0.0}, ChangeSet())
    refs = MemoryRefs()

    first = refs.contents[runs.save_plan(refs, "p", "main", 1, runs.plan_record(plan, graph, 1))]
    second = refs.contents[runs.save_plan(refs, "p", "main", 1, runs.plan_record(plan, graph, 1))]

    assert first == second
    assert b'"reasons":[{"type":"never-built"}]' in first and b'"schema":"windrow.plan/1"' in first
