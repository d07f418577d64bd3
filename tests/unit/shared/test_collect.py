"""Collection keeps what somebody needs, and verification finds what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from shared import canonical, hashing
from shared.errors import CorruptRecord, SchemaUnknown
from shared.model.action import ActionResult, Trace
from shared.model.file import FileState
from shared.model.manifest import Artefact, Manifest, Pointer
from shared.settings import Settings, StorageSettings
from shared.storage.blobs import BlobStore
from shared.storage.collect import Report, collect, stats, verify
from shared.storage.compose import Stores, open_stores
from shared.storage.disk_refs import DiskRefs
from tests.contracts.results import made
from tests.fakes.clock import FakeClock

DAY = 86400.0
WINDOW = 14 * DAY
PLENTY = 1 << 40


class Farm:
    """Stores with a history."""

    def __init__(self, folder: Path, *, remote: bool = False) -> None:
        self.clock = FakeClock()
        url = f"file://{folder / 'far'}" if remote else ""
        self.settings = Settings(
            root=folder, project="p", branch="main", cache_dir=folder / "cache", storage=StorageSettings(url=url)
        )
        self.stores = self.reopened()
        self.tags: dict[str, str] = {}

    def reopened(self) -> Stores:
        return open_stores(self.settings, clock=self.clock)

    def blob(self, size: int = 100) -> str:
        data = os.urandom(size)
        self.stores.blobs.put(hashing.of_bytes(data), data)
        return hashing.of_bytes(data)

    def result(self) -> ActionResult:
        result = made(self.stores.blobs)
        self.stores.results.put(result)
        return result

    def commit(self, revision: int, *hashes: str, branch: str = "projects/p/main") -> None:
        artefacts = {f"out{n}": Artefact(hash_, 100, "job") for n, hash_ in enumerate(hashes)}
        manifest = Manifest("p", "main", revision, {"src": FileState(hashes[0], 100)}, {}, artefacts)
        data = canonical.encode(manifest)
        assert self.stores.refs.create(f"{branch}/manifests/rev-{revision:04}.json", data)
        pointer = Pointer(revision, hashing.of_bytes(data), 1, "", "b")
        tag = self.tags.get(branch)
        self.tags[branch] = self.stores.refs.swap(f"{branch}/current.json", canonical.encode(pointer), tag)

    def gc(self, *, keep: int = 2, max_bytes: int = PLENTY, dry_run: bool = False) -> Report:
        stores = self.reopened()
        return collect(stores, keep_revisions=keep, window=WINDOW, max_bytes=max_bytes, dry_run=dry_run)


def lost(store: BlobStore, *hashes: str) -> list[bool]:
    there = {info.hash for info in store.blobs()}
    return [hash_ not in there for hash_ in hashes]


@pytest.fixture(params=[False, True], ids=["embedded", "remote"])
def farm(tmp_path: Path, request: pytest.FixtureRequest) -> Farm:
    return Farm(tmp_path, remote=request.param)


def test_what_kept_revisions_name_stays_however_old(farm: Farm) -> None:
    old, middle, new = farm.blob(), farm.blob(), farm.blob()
    for revision, hash_ in enumerate((old, middle, new), 1):
        farm.commit(revision, hash_)
    farm.clock.advance(10 * WINDOW)

    report = farm.gc(keep=2)

    assert lost(farm.stores.far, old, middle, new) == [True, False, False]
    assert (report.revisions, report.revisions_removed, report.blobs_removed) == (3, 1, 1)
    assert farm.stores.refs.read("projects/p/main/manifests/rev-0001.json") is None
    assert farm.stores.refs.read("projects/p/main/manifests/rev-0003.json") is not None


def test_every_branch_of_every_project_counts(farm: Farm) -> None:
    hashes = [farm.blob() for _ in range(3)]
    for branch, hash_ in zip(("projects/a/main", "projects/a/side", "projects/b/main"), hashes, strict=True):
        farm.commit(1, hash_, branch=branch)
    farm.clock.advance(10 * WINDOW)

    farm.gc(keep=1)

    assert lost(farm.stores.far, *hashes) == [False, False, False]


def test_what_a_build_used_while_records_were_removed_stays(farm: Farm) -> None:
    """Thousands of them take a bucket minutes; meanwhile somebody checks out a branch of last year."""
    spent, found, fetched = farm.result(), farm.blob(), farm.blob()
    farm.clock.advance(10 * WINDOW)
    other, place = farm.reopened(), farm.settings.cache_dir.parent

    class Meanwhile(DiskRefs):
        def delete(self, name: str) -> None:
            super().delete(name)
            assert other.far.find_missing([found]) == set()
            other.far.fetch(fetched, place / "fetched")

    stores = farm.reopened()
    assert isinstance(stores.refs, DiskRefs)
    stores = msgspec.structs.replace(stores, refs=Meanwhile(stores.refs.root, clock=farm.clock))
    report = collect(stores, keep_revisions=2, window=WINDOW, max_bytes=PLENTY)

    assert lost(farm.stores.far, spent.outputs[0].hash, found, fetched) == [True, False, False]
    assert (report.results_removed, report.blobs_removed) == (1, report.blobs - 2)


def test_what_is_young_stays(farm: Farm) -> None:
    hash_, result = farm.blob(), farm.result()
    farm.clock.advance(WINDOW - 1)

    report = farm.gc()

    assert lost(farm.stores.far, hash_) == [False]
    assert farm.reopened().results.get(result.key) is not None
    assert (report.blobs_removed, report.results_removed) == (0, 0)


def test_a_result_that_was_used_stays_and_one_that_was_not_goes_with_its_blobs(farm: Farm) -> None:
    used, unused = farm.result(), farm.result()
    for _ in range(4):
        farm.clock.advance(WINDOW / 2 + 1)
        assert farm.reopened().results.get(used.key) is not None

    report = farm.gc()

    assert farm.reopened().results.get(used.key) is not None
    assert farm.reopened().results.get(unused.key) is None
    assert lost(farm.stores.far, unused.outputs[0].hash, unused.stdout.hash) == [True, True]
    assert (report.results_removed, report.blobs_removed) == (1, 2)


def test_a_young_result_keeps_old_blobs(farm: Farm) -> None:
    result = made(farm.stores.blobs)
    farm.clock.advance(WINDOW + DAY)
    farm.stores.refs.write(f"results/{result.key[7:9]}/{result.key[7:]}", canonical.encode(result))

    farm.gc()

    assert farm.reopened().results.get(result.key) is not None


def test_a_dry_run_tells_the_same_and_removes_nothing(farm: Farm) -> None:
    hash_, result = farm.blob(), farm.result()
    farm.clock.advance(WINDOW + 1)

    told = farm.gc(dry_run=True)

    assert lost(farm.stores.far, hash_, result.outputs[0].hash) == [False, False]
    done = farm.gc()
    assert (told.blobs_removed, told.results_removed, told.bytes_removed) == (
        done.blobs_removed,
        done.results_removed,
        done.bytes_removed,
    )
    assert lost(farm.stores.far, hash_, result.outputs[0].hash) == [True, True]


def test_a_manifest_that_cannot_be_read_stops_collection(farm: Farm) -> None:
    hash_ = farm.blob()
    farm.commit(1, hash_)
    farm.clock.advance(10 * WINDOW)
    name = "projects/p/main/manifests/rev-0001.json"
    for data, error in (
        (b"{", CorruptRecord),
        (
            b'{"project":"p","branch":"m","revision":1,"sources":{},"jobs":{},"artefacts":{},"schema":"windrow.manifest/9"}',
            SchemaUnknown,
        ),
    ):
        farm.stores.refs.write(name, data)
        with pytest.raises(error):
            farm.gc()

    assert lost(farm.stores.far, hash_) == [False]


def test_a_record_of_a_newer_windrow_is_left_alone_while_young(farm: Farm) -> None:
    name = "results/ab/" + "ab" * 32
    farm.stores.refs.write(name, b'{"schema":"windrow.result/7"}')
    farm.clock.advance(WINDOW + 1)

    farm.gc()

    assert farm.stores.refs.read(name) is not None


def test_traces_outlive_results(farm: Farm) -> None:
    key = hashing.of_bytes(b"trace key")
    farm.stores.results.add_trace(key, Trace(used=("a.h",)))
    farm.clock.advance(2 * WINDOW)
    farm.gc()
    kept = farm.reopened().results.traces(key)
    farm.clock.advance(3 * WINDOW)

    farm.gc()

    assert kept == (Trace(used=("a.h",)),)
    assert farm.stores.refs.names("results/") == []


def test_a_full_cache_loses_what_was_used_longest_ago_and_no_revision(tmp_path: Path) -> None:
    farm = Farm(tmp_path)
    committed = farm.blob(1000)
    farm.commit(1, committed)
    farm.clock.advance(DAY)
    old = farm.blob(1000)
    farm.clock.advance(DAY)
    result = farm.result()
    farm.clock.advance(DAY + 1)
    fresh = farm.blob(1000)

    farm.gc(max_bytes=2500)
    first = lost(farm.stores.far, committed, old, fresh)
    farm.gc(max_bytes=0)

    assert first == [False, True, False]
    assert lost(farm.stores.far, committed, fresh) == [False, False]
    assert farm.reopened().results.get(result.key) is None
    assert farm.stores.refs.names("results/") == []


def test_of_a_remote_store_only_the_local_copy_is_bounded(tmp_path: Path) -> None:
    farm = Farm(tmp_path, remote=True)
    hashes = [farm.blob(1000) for _ in range(3)]

    report = farm.gc(max_bytes=1500)

    assert report.local_blobs_removed == 2
    assert lost(farm.stores.far, *hashes) == [False] * 3
    assert sum(info.size for info in farm.stores.local.blobs()) == 1000


def test_a_whole_store_verifies(farm: Farm) -> None:
    farm.commit(1, farm.blob(), farm.blob(9 << 20))
    farm.result()

    findings = verify(farm.reopened())

    assert not findings
    assert findings.blobs == 4


def test_damage_is_found_and_what_it_breaks_is_named(farm: Farm) -> None:
    hash_, result = farm.blob(), farm.result()
    farm.commit(1, hash_)
    far = farm.stores.far
    for damaged in (hash_, result.outputs[0].hash):
        path = far.path(damaged)  # type: ignore[attr-defined]
        path.chmod(0o644)
        path.write_bytes(b"damaged")

    findings = verify(farm.reopened(), repair=True)
    again = verify(farm.reopened())

    assert set(findings.corrupt) == {hash_, result.outputs[0].hash}
    assert findings.missing == (f"out0: {hash_}",)
    assert findings.dangling == (result.key,)
    assert (again.corrupt, again.dangling, again.missing) == ((), (), (f"out0: {hash_}",))


def test_a_manifest_that_the_pointer_does_not_mean_is_found(farm: Farm) -> None:
    farm.commit(1, farm.blob())
    other = canonical.encode(Manifest("p", "main", 1, {}, {}, {}))
    farm.stores.refs.write("projects/p/main/manifests/rev-0001.json", other)

    findings = verify(farm.reopened())

    assert len(findings.unreadable) == 1 and "rev-0001" in findings.unreadable[0]


def test_figures_count_what_is_there(farm: Farm) -> None:
    farm.commit(1, farm.blob(100))
    farm.commit(2, farm.blob(50))
    farm.result()
    farm.clock.advance(10)

    figures = stats(farm.reopened())

    assert (figures.blobs, figures.results, figures.branches, figures.revisions) == (4, 1, 1, 2)
    assert figures.bytes >= 150
    assert figures.oldest == 10
    assert figures.local_blobs == 4


def test_records_of_builds_go_with_their_revision(farm: Farm) -> None:
    """Not those of the revision to come, nor of a branch that has none yet."""
    runs = "projects/p/main/runs/"
    for revision in (1, 2, 3):
        farm.commit(revision, farm.blob())
    kept = [f"{runs}rev-0002-plan.json", f"{runs}rev-0003-progress.json", f"{runs}rev-0004-progress.json"]
    kept.append("projects/p/new/runs/rev-0001-progress.json")
    for name in (f"{runs}rev-0001-plan.json", f"{runs}rev-0001-progress.json", *kept):
        farm.stores.refs.write(name, b"{}")
    young = farm.gc(keep=2)
    farm.clock.advance(2 * WINDOW)

    told, report = farm.gc(keep=2, dry_run=True), farm.gc(keep=2)

    assert (young.runs_removed, told.runs_removed, report.runs_removed) == (0, 2, 2)
    assert [name for name in farm.stores.refs.names("projects/") if "/runs/" in name] == sorted(kept)


def test_of_failed_builds_the_last_20_of_a_branch_stay_whatever_their_revision(farm: Farm) -> None:
    farm.commit(1, farm.blob())
    # The later ones failed on an earlier revision: rev-9999 and rev-10000 are sorted by when they began.
    names = [f"projects/p/main/runs/rev-{10000 - n // 20}-20261127T0035{n:02}000Z-b{n}.json" for n in range(25)]
    for name in (*names, "projects/p/other/runs/rev-0001-20261127T003500000Z-b.json"):
        farm.stores.refs.write(name, b"{}")

    report = farm.gc()

    assert report.runs_removed == 5
    assert {*names[5:], "projects/p/other/runs/rev-0001-20261127T003500000Z-b.json"} == {
        name for name in farm.stores.refs.names("projects/") if "/runs/" in name
    }
