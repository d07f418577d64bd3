"""Stored records and local state are damaged, or a newer Windrow wrote them: what is said, and what is built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import hashing
from tests.faults.site import JOBS, Site

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]

RECORDS = "cache/store/projects/site/main"
DAMAGE = {
    "torn": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "zeros": lambda data: b"\0" * len(data),
    "no JSON": lambda data: b"<html>502 Bad Gateway</html>",
    "other JSON": lambda data: b'[{"hello": 1}]',
    "other schema": lambda data: b'{"schema": "somebody.else/1"}',
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.right()
    yield made
    made.end()


def spoil(path: Path, how: str) -> bytes:
    damaged = DAMAGE[how](path.read_bytes())
    path.write_bytes(damaged)
    return damaged


@pytest.mark.parametrize("how", ["torn", "other JSON"])
def test_a_damaged_pointer_is_replaced_after_a_full_plan_and_kept_aside(site: Site, how: str) -> None:
    damaged = spoil(site.root / RECORDS / "current.json", how)

    built = site.build()

    assert built.code == 0, built.output
    assert "warning: current.json cannot be read" in built.output
    assert "building fully" in built.output
    assert "15 to run" in built.output
    assert built.began == (), "finished work was done again"
    assert site.revision() == 2
    assert [
        path.read_bytes()
        for path in (site.root / RECORDS / "damaged").iterdir()
        if path.is_file() and path.name[0] != "."
    ] == [damaged]
    site.is_right()
    assert "warning" not in site.right(began=0).output


@pytest.mark.parametrize("how", list(DAMAGE))
def test_a_damaged_pointer_never_stops_a_build(site: Site, how: str) -> None:
    spoil(site.root / RECORDS / "current.json", how)
    site.edit(2)

    built = site.right()

    assert set(built.began) == {"part2", "pair1", "half0", "whole"}
    assert site.revision() == 2


@pytest.mark.parametrize("how", ["torn", "zeros", "other JSON"])
def test_a_damaged_manifest_is_followed_by_a_full_plan_under_the_next_number(site: Site, how: str) -> None:
    manifest = site.root / RECORDS / "manifests" / "rev-0001.json"
    (site.tree / ".windrow" / "manifest.json").unlink()
    damaged = spoil(manifest, how)

    built = site.build()

    assert built.code == 0, built.output
    assert "manifest rev-0001 is damaged" in built.output
    assert "building fully" in built.output
    assert built.began == ()
    assert site.revision() == 2
    assert manifest.read_bytes() == damaged
    site.is_right()


def test_a_manifest_that_is_gone_is_followed_by_a_full_plan(site: Site) -> None:
    (site.tree / ".windrow" / "manifest.json").unlink()
    (site.root / RECORDS / "manifests" / "rev-0001.json").unlink()

    built = site.build()

    assert built.code == 0, built.output
    assert "manifest rev-0001 is missing" in built.output
    assert site.revision() == 2
    site.is_right()


@pytest.mark.parametrize("record", ["current.json", "manifests/rev-0001.json"])
def test_a_record_of_a_newer_windrow_is_left_alone(site: Site, record: str) -> None:
    path = site.root / RECORDS / record
    content = json.loads(path.read_bytes())
    content["schema"] = content["schema"].rpartition("/")[0] + "/9"
    content["tool"] = "windrow 9.1"
    text = json.dumps(content).encode()
    path.write_bytes(text)
    if record != "current.json":
        pointer = json.loads((site.root / RECORDS / "current.json").read_bytes())
        pointer["manifest_hash"] = hashing.of_bytes(text)
        (site.root / RECORDS / "current.json").write_text(json.dumps(pointer))
        (site.tree / ".windrow" / "manifest.json").unlink()
    site.edit(0)
    before = site.outputs()

    built = site.build()

    assert built.code == 2, built.output
    assert "/9; this Windrow reads windrow." in built.output
    assert "windrow 9.1" in built.output
    assert path.read_bytes() == text
    assert site.outputs() == before
    assert built.began == ()


@pytest.mark.parametrize("how", list(DAMAGE))
def test_damaged_local_state_costs_time_only(site: Site, how: str) -> None:
    state = sorted(path for path in (site.tree / ".windrow").iterdir() if path.is_file())
    assert {"stat.msgpack", "manifest.json"} <= {path.name for path in state}
    for path in state:
        spoil(path, how)

    built = site.right(began=0)

    assert "No changes detected" in built.output
    for path in state:
        spoil(path, how)
    needed = site.edit(5)
    assert set(site.right().began) == needed


def test_a_journal_that_cannot_be_read_is_named_with_a_way_out(site: Site) -> None:
    journal = site.tree / ".windrow" / "journal.json"
    journal.write_bytes(b"{")

    built = site.build()

    assert built.code == 36, built.output
    assert str(journal) in built.output
    assert "remove it" in built.output
    journal.unlink()
    site.right(began=0)


@pytest.mark.parametrize("how", ["torn", "empty", "other JSON", "other schema"])
def test_damaged_results_count_as_missing(site: Site, how: str) -> None:
    for path in (site.cache / "store" / "results").rglob("*"):
        if path.is_file() and len(path.name) == 64:
            spoil(path, how)
    needed = site.edit(0)
    assert set(site.right().began) == needed

    again = site.build("--full")

    assert again.code == 0, again.output
    site.is_right()


def test_damaged_blobs_are_never_served(site: Site) -> None:
    for path in (site.cache / "store" / "blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"#" * path.stat().st_size)
    for path in (site.tree / "out").iterdir():
        path.unlink()

    built = site.right()

    # The parts hold what their sources do, and those were stored again.
    assert set(built.began) == {job for job in JOBS if not job.startswith("part")}


def test_a_damaged_lock_and_event_log_do_not_stop_a_build(site: Site) -> None:
    folder = site.root / RECORDS
    (folder / "lock.json").write_bytes(b"{\0")
    (folder / ".lock.fence").write_bytes(b"many")
    for log in ("inputs.log", "artefacts.log"):
        (folder / "events" / log).write_bytes(b'{"path": "half a li')
    needed = site.edit(1)

    assert set(site.right().began) == needed
