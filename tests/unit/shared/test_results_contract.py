"""Every Results that needs no server keeps the contract; the tiers keep promises of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.model.action import ActionResult, Trace
from shared.storage.caching import CachingBlobs
from shared.storage.disk import DiskBlobs
from shared.storage.disk_refs import DiskRefs
from shared.storage.memory import MemoryBlobs, MemoryRefs
from shared.storage.stored_results import StoredResults, TieredResults
from tests.contracts.results import ResultsContract, ResultsHarness, made
from tests.fakes.clock import FakeClock

LEASE = 7 * 86400.0


class Tiers:
    """A remote store in memory, and machines in front of it."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.folder, self.clock = folder, clock
        self.far, self.refs = MemoryBlobs(clock), MemoryRefs(clock)

    def machine(self, name: str) -> TieredResults:
        local = DiskBlobs(self.folder / name, clock=self.clock)
        local_refs = DiskRefs(self.folder / name / "known", clock=self.clock)
        blobs = CachingBlobs(self.far, local, clock=self.clock)
        remote = StoredResults(self.refs, blobs, "remote")
        return TieredResults(StoredResults(local_refs, local, "local"), remote, confirmed=local_refs.age, lease=LEASE)

    def blobs(self, name: str) -> CachingBlobs:
        return CachingBlobs(self.far, DiskBlobs(self.folder / name, clock=self.clock), clock=self.clock)


class TestStoredResultsInMemory(ResultsContract):
    @pytest.fixture
    def harness(self) -> ResultsHarness:
        blobs, refs = MemoryBlobs(), MemoryRefs()
        results = StoredResults(refs, blobs, "local")
        return ResultsHarness(results, blobs, refs, lambda: results)


class TestStoredResultsOnDisk(ResultsContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> ResultsHarness:
        blobs, refs = DiskBlobs(tmp_path), DiskRefs(tmp_path)
        results = StoredResults(refs, blobs, "local")
        return ResultsHarness(results, blobs, refs, lambda: StoredResults(DiskRefs(tmp_path), blobs, "local"))


class TestTieredResults(ResultsContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> ResultsHarness:
        tiers = Tiers(tmp_path, FakeClock())
        return ResultsHarness(tiers.machine("a"), tiers.blobs("a"), tiers.refs, lambda: tiers.machine("b"))


def test_a_remote_hit_is_local_the_next_time_its_blobs_are_here(tmp_path: Path) -> None:
    tiers = Tiers(tmp_path, FakeClock())
    result = made(tiers.blobs("a"))
    tiers.machine("a").put(result)

    first = tiers.machine("b").get(result.key)
    for hash_ in (result.outputs[0].hash, result.stdout.hash):
        tiers.blobs("b").get(hash_)
    second = tiers.machine("b").get(result.key)

    assert first is not None and second is not None
    assert (first.source, second.source) == ("remote", "local")


def test_a_local_result_is_asked_for_again_once_its_lease_is_over(tmp_path: Path) -> None:
    clock = FakeClock()
    tiers = Tiers(tmp_path, clock)
    result = made(tiers.blobs("a"))
    machine = tiers.machine("a")
    machine.put(result)
    clock.advance(LEASE + 1)
    tiers.far.delete(result.outputs[0].hash)

    assert machine.get(result.key) is None


def test_a_machine_that_came_second_answers_with_the_first_result(tmp_path: Path) -> None:
    tiers = Tiers(tmp_path, FakeClock())
    first = made(tiers.blobs("a"))
    second = ActionResult(key=first.key, outputs=made(tiers.blobs("b")).outputs, worker="late")
    tiers.machine("a").put(first)

    tiers.machine("b").put(second)

    hit = tiers.machine("b").get(first.key)
    assert hit is not None and hit.result == first


def test_adding_the_newest_trace_again_writes_nothing(tmp_path: Path) -> None:
    refs = DiskRefs(tmp_path)
    results = StoredResults(refs, MemoryBlobs(), "local")
    key, trace = "sha256:" + "a" * 64, Trace(used=("a.h",))
    results.add_trace(key, trace)
    path = tmp_path / "results" / "aa" / ("a" * 64)
    before = path.stat().st_ino

    results.add_trace(key, trace)

    assert path.stat().st_ino == before


def test_a_far_store_is_not_asked_for_blobs_that_will_be_fetched_and_one_here_is() -> None:
    blobs, refs = MemoryBlobs(), MemoryRefs()
    result = made(blobs)
    StoredResults(refs, blobs, "remote").put(result)
    blobs.delete(result.outputs[0].hash)

    far = StoredResults(refs, blobs, "remote").get(result.key, whole=False)
    here = StoredResults(refs, blobs, "local").get(result.key, whole=False)

    assert far is not None and far.result == result
    assert here is None
