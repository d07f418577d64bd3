"""What a run read outside its tree: named by its depfile, hashed where it ran, and part of its key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared import hashing
from shared.keys import key_after_run, state_beyond
from shared.model.action import ActionResult
from shared.model.job import JobOrder
from tests.unit.workers.perform.farm import Farm
from workers.execute.beyond import FilesBeyond


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a.h").write_text("one")
    return folder


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path / "farm")
    yield farm
    farm.worker.close()


def settled(folder: Path) -> int:
    """A time of the file system that is later than that of every file there."""
    probe = folder / "probe"
    then = max(path.stat().st_ctime_ns for path in folder.iterdir())
    while True:
        probe.write_text("")
        if (now := probe.stat().st_ctime_ns) > then:
            probe.unlink()
            return now


def test_files_are_told_with_their_digests(outside: Path) -> None:
    (outside / "b.h").write_text("two")
    begun = settled(outside)

    read = FilesBeyond().read([f"{outside}/{name}" for name in ("b.h", "a.h", "none", "a.h", "")], begun)

    assert read.paths == (f"{outside}/a.h", f"{outside}/b.h")
    held = {f"{outside}/a.h": b"one", f"{outside}/b.h": b"two"}
    assert read.marks == "".join(hashing.of_bytes(held[path])[-4:] for path in read.paths)
    assert read.state == state_beyond(read.paths, lambda path: hashing.of_bytes(held[path]))


def test_what_changed_since_the_job_began_says_nothing(outside: Path) -> None:
    begun = settled(outside)
    (outside / "a.h").write_text("new")

    assert FilesBeyond().read([f"{outside}/a.h"], begun)[:2] == ((f"{outside}/a.h",), "")


def test_a_file_is_read_again_only_once_it_changed(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, path = FilesBeyond(), f"{outside}/a.h"
    read: list[str] = []
    whole = hashing.of_file
    monkeypatch.setattr(hashing, "of_file", lambda path: read.append(path) or whole(path))

    before = [files.read([path], settled(outside)) for _ in range(2)]
    os.utime(path, ns=(0, 0))
    (outside / "a.h").write_text("two")
    os.utime(path, ns=(0, 0))
    after = files.read([path], settled(outside))

    assert len(read) == 2
    assert before[0] == before[1] != after


SCRIPT = 'cat {outside}/a.h > out; echo "out: in {outside}/a.h {outside} /none/x.h $TMPDIR/own.h" > out.d; {more}'


def ran(farm: Farm, outside: Path, more: str = ": > $TMPDIR/own.h", tools: str = "tools") -> ActionResult:
    farm.write("in", "")
    script = SCRIPT.format(outside=outside, more=more)
    action = msgspec.structs.replace(farm.action("/bin/sh", "-c", script, depfile="out.d"), tools=tools)
    outcome = farm.worker.perform(JobOrder("b", "job", 1, action, 30.0))
    assert outcome.status == "executed" and outcome.result is not None, outcome
    assert outcome.result.key == key_after_run(action, outcome.result.trace, outcome.result.beyond)
    return outcome.result


def test_the_key_of_a_run_holds_what_it_read_outside(farm: Farm, outside: Path) -> None:
    settled(outside)
    first, second = ran(farm, outside), ran(farm, outside)
    (outside / "a.h").write_text("two")
    settled(outside)
    third = ran(farm, outside)

    assert first.trace is not None and first.trace.beyond == (f"{outside}/a.h",)
    assert first.key == second.key != third.key
    assert first.trace == third.trace
    assert {first.key, third.key} <= farm.results.stored.keys()


def test_a_pinned_fingerprint_stands_for_them(farm: Farm, outside: Path) -> None:
    result = ran(farm, outside, tools="")

    assert result.trace is not None and (result.trace.beyond, result.beyond) == ((), "")


def test_a_run_under_which_one_changed_is_kept_for_nobody(farm: Farm, outside: Path) -> None:
    settled(outside)
    result = ran(farm, outside, more=f"echo changed > {outside}/a.h")

    assert result.trace is not None and result.trace.beyond == (f"{outside}/a.h",)
    assert result.beyond == "" and farm.results.stored == {}
