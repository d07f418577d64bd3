"""Blobs on disk: damage of every kind, races, crashes, a full disk."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared import hashing
from shared.errors import BlobCorrupt, BlobMissing, DiskFull, LocalError
from shared.storage.disk import DiskBlobs
from tests.contracts.blob_store import damages
from tests.fakes.clock import FakeClock


def put(store: DiskBlobs, data: bytes) -> str:
    hash_ = hashing.of_bytes(data)
    store.put(hash_, data)
    return hash_


def damage(store: DiskBlobs, hash_: str, data: bytes) -> None:
    path = store.path(hash_)
    path.chmod(0o644)
    path.write_bytes(data)


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> DiskBlobs:
    return DiskBlobs(tmp_path / "store")


def test_of_a_thousand_damaged_blobs_none_is_served(store: DiskBlobs, tmp_path: Path) -> None:
    chance = random.Random(20261121)
    served = 0
    for number in range(1000):
        data = chance.randbytes(chance.randrange(1, 3000))
        hash_ = put(store, data)
        damage(store, hash_, damages(data, chance, 1)[0])
        try:
            if number % 2:
                store.get(hash_)
            else:
                store.fetch(hash_, tmp_path / "out")
        except BlobMissing:
            pass
        else:
            served += 1
        assert store.find_missing([hash_]) == {hash_}
        assert not (tmp_path / "out").exists()

    assert served == 0
    assert files(store.root) == []


def test_a_damaged_blob_is_mended_by_putting_it_again_before_anyone_read_it(store: DiskBlobs, tmp_path: Path) -> None:
    data = os.urandom(4096)
    hash_ = put(store, data)
    source = tmp_path / "source"
    source.write_bytes(data)
    menders: list[Callable[[], int]] = [lambda: store.put(hash_, data), lambda: store.put_file(hash_, source)]
    for mend in menders:
        damage(store, hash_, bytes(4096))

        mend()

        assert store.get(hash_) == data


def test_blobs_are_read_only_and_lie_in_two_levels(store: DiskBlobs) -> None:
    hash_ = put(store, b"x")

    path = store.root / "blobs" / hash_[7:9] / hash_[7:]
    assert path == store.path(hash_)
    assert path.stat().st_mode & 0o777 == 0o444


def test_what_was_fetched_can_be_written_to_without_reaching_the_store(store: DiskBlobs, tmp_path: Path) -> None:
    hash_ = put(store, b"pristine")
    store.fetch(hash_, tmp_path / "out")

    (tmp_path / "out").write_bytes(b"scribble")

    assert store.get(hash_) == b"pristine"


def test_readers_and_a_mender_race_and_nobody_sees_wrong_bytes(store: DiskBlobs, tmp_path: Path) -> None:
    data = os.urandom(20_000)
    hash_ = put(store, data)

    def mend(_: int) -> None:
        damage_in_place = store.root / "damaged"
        damage_in_place.write_bytes(bytes(20_000))
        damage_in_place.rename(store.path(hash_))
        store.put(hash_, data)

    def read(number: int) -> bool:
        try:
            return store.get(hash_) == data
        except BlobMissing:
            return True

    with ThreadPoolExecutor(8) as pool:
        menders = [pool.submit(mend, 0)]
        for round_ in range(60):
            menders.append(menders[-1] if not menders[-1].done() else pool.submit(mend, round_))
            assert all(pool.map(read, range(6)))
        menders[-1].result()

    store.put(hash_, data)
    assert store.get(hash_) == data


def test_a_file_that_is_gone_or_no_file_is_an_error_of_this_machine(store: DiskBlobs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    hash_ = hashing.of_bytes(b"x")

    for path in (tmp_path / "gone", tmp_path, tmp_path / "pipe"):
        with pytest.raises(LocalError):
            store.put_file(hash_, path)

    assert store.find_missing([hash_]) == {hash_}


def test_a_torn_blob_of_a_power_cut_counts_as_missing(store: DiskBlobs) -> None:
    hash_ = put(store, b"whole")
    damage(store, hash_, b"")

    assert store.find_missing([hash_]) == {hash_}
    assert store.find_missing([put(store, b"")]) == set()


def test_touching_makes_a_blob_young_again(tmp_path: Path) -> None:
    clock = FakeClock()
    store = DiskBlobs(tmp_path, clock=clock)
    used, unused = put(store, b"used"), put(store, b"unused")
    clock.advance(1000)

    store.touch([used])
    clock.advance(10)

    ages = {info.hash: info.age for info in store.blobs()}
    assert (ages[used], ages[unused]) == (10, 1010)


def test_asking_for_an_ageing_blob_makes_it_young_again(tmp_path: Path) -> None:
    clock = FakeClock()
    store = DiskBlobs(tmp_path, clock=clock, window=1000)
    hash_ = put(store, b"asked for")

    clock.advance(400)
    store.find_missing([hash_])
    before = next(store.blobs()).age
    clock.advance(200)
    store.find_missing([hash_])

    assert (before, next(store.blobs()).age) == (400, 0)


def test_a_write_that_was_killed_leaves_a_temporary_that_the_next_start_sweeps(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from shared import hashing
        from shared.storage import disk
        def killed(self, temporary, path):
            os._exit(9)
        disk.DiskBlobs._place = killed
        disk.DiskBlobs(Path(sys.argv[1])).put(hashing.of_bytes(b"x"), b"x")
        """
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    left = files(tmp_path)

    hash_ = put(DiskBlobs(tmp_path), b"other")

    assert ended.returncode == 9
    assert len(left) == 1 and left[0].parent.name == ".tmp"
    assert files(tmp_path) == [DiskBlobs(tmp_path).path(hash_)]


def test_opening_and_reading_write_nothing(tmp_path: Path) -> None:
    store = DiskBlobs(tmp_path / "store")

    with pytest.raises(BlobMissing):
        store.get(hashing.of_bytes(b"x"))
    store.find_missing([hashing.of_bytes(b"x")])
    assert list(store.blobs()) == []

    assert not (tmp_path / "store").exists()


def test_the_folder_may_vanish_between_two_writes(store: DiskBlobs) -> None:
    put(store, b"1")
    for path in sorted(store.root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    store.root.rmdir()

    assert store.get(put(store, b"2")) == b"2"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this user cannot mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_leaves_no_torn_blob(small_disk: Path, tmp_path: Path) -> None:
    store = DiskBlobs(small_disk)
    large = os.urandom(2 << 20)
    hash_, source = hashing.of_bytes(large), tmp_path / "large"
    source.write_bytes(large)
    kept = put(store, os.urandom(100_000))
    elsewhere = DiskBlobs(tmp_path / "elsewhere")
    elsewhere.put(hash_, large)

    fills: list[Callable[[], int]] = [
        lambda: store.put(hash_, large),
        lambda: store.put_file(hash_, source),
        lambda: elsewhere.fetch(hash_, small_disk / "out"),
    ]
    for fill in fills:
        with pytest.raises(DiskFull) as caught:
            fill()
        assert "bytes free" in caught.value.why

    assert files(small_disk) == [store.path(kept)]
    assert store.find_missing([hash_, kept]) == {hash_}
    assert elsewhere.get(hash_) == large


def test_a_limit_on_file_size_is_an_error_that_leaves_no_torn_blob(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from shared import hashing
        from shared.errors import LocalError
        from shared.storage.disk import DiskBlobs
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        store, data = DiskBlobs(Path(sys.argv[1])), bytes(100_000)
        try:
            store.put(hashing.of_bytes(data), data)
        except LocalError as error:
            sys.exit(f"named: {error}")
        """
    )

    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60, capture_output=True)

    assert b"named: File too large" in ended.stderr
    assert files(tmp_path) == []


def test_bytes_that_change_while_they_are_read_are_refused(store: DiskBlobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"before")
    hash_ = hashing.of_bytes(b"before")
    source.write_bytes(b"after!")

    with pytest.raises(BlobCorrupt):
        store.put_file(hash_, source)

    assert files(store.root) == []
