"""What every BlobStore must do. A test class gives a harness as the fixture `harness`."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from shared import hashing
from shared.errors import BlobCorrupt, BlobMissing, LocalError
from shared.storage.blobs import BlobStore

SIZES = (0, 1, 4096, 70_000, (1 << 20) + 1)


class BlobHarness(NamedTuple):
    """A store to try, and a way to damage what it holds behind its back (`damage(hash, bytes)`)."""

    store: BlobStore
    damage: Callable[[str, bytes], None]


class BlobStoreContract:
    """Inherit, and define the fixture `harness`."""

    def test_what_was_put_is_got(self, harness: BlobHarness) -> None:
        store = harness.store
        for size in SIZES:
            data = os.urandom(size)
            hash_ = hashing.of_bytes(data)

            store.put(hash_, data)

            assert store.get(hash_) == data
            assert store.find_missing([hash_]) == set()

    def test_what_a_file_held_is_fetched(self, harness: BlobHarness, tmp_path: Path) -> None:
        for number, size in enumerate(SIZES):
            source, target = tmp_path / f"in{number}", tmp_path / f"out{number}"
            source.write_bytes(os.urandom(size))
            hash_ = hashing.of_file(source)[0]

            harness.store.put_file(hash_, source)
            moved = harness.store.fetch(hash_, target, executable=bool(number % 2))

            assert target.read_bytes() == source.read_bytes()
            assert target.stat().st_mode & 0o777 == (0o755 if number % 2 else 0o644)
            assert target.stat().st_nlink == 1
            assert moved in (0, size)

    def test_putting_twice_is_putting_once(self, harness: BlobHarness) -> None:
        data = os.urandom(200_000)
        hash_ = hashing.of_bytes(data)

        first = harness.store.put(hash_, data)
        second = harness.store.put(hash_, data)

        assert first in (0, len(data))
        assert second == 0
        assert harness.store.get(hash_) == data

    def test_bytes_of_another_name_are_refused(self, harness: BlobHarness, tmp_path: Path) -> None:
        wrong = hashing.of_bytes(b"wanted")
        source = tmp_path / "file"
        source.write_bytes(b"given")

        with pytest.raises(BlobCorrupt):
            harness.store.put(wrong, b"given")
        with pytest.raises(BlobCorrupt):
            harness.store.put_file(wrong, source)

        assert harness.store.find_missing([wrong]) == {wrong}

    def test_a_file_that_changed_is_refused_over_a_blob_that_is_there(
        self, harness: BlobHarness, tmp_path: Path
    ) -> None:
        data, source = os.urandom(100_000), tmp_path / "file"
        hash_ = hashing.of_bytes(data)
        harness.store.put(hash_, data)
        source.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

        with pytest.raises(BlobCorrupt):
            harness.store.put_file(hash_, source)

        assert harness.store.get(hash_) == data

    def test_a_missing_blob_is_said_to_be_missing(self, harness: BlobHarness, tmp_path: Path) -> None:
        hash_ = hashing.of_bytes(os.urandom(16))

        assert harness.store.find_missing([hash_, hash_]) == {hash_}
        with pytest.raises(BlobMissing) as caught:
            harness.store.get(hash_)
        with pytest.raises(BlobMissing):
            harness.store.fetch(hash_, tmp_path / "out")

        assert caught.value.hash == hash_
        assert not (tmp_path / "out").exists()

    def test_a_damaged_blob_is_never_served_and_can_be_put_again(self, harness: BlobHarness, tmp_path: Path) -> None:
        data = os.urandom(5000)
        for number, damaged in enumerate(damages(data, random.Random(7), 12)):
            hash_ = hashing.of_bytes(data)
            harness.store.put(hash_, data)
            harness.damage(hash_, damaged)

            with pytest.raises(BlobMissing):
                if number % 2:
                    harness.store.get(hash_)
                else:
                    harness.store.fetch(hash_, tmp_path / "out")

            assert not (tmp_path / "out").exists()
            assert harness.store.find_missing([hash_]) == {hash_}
            harness.store.put(hash_, data)
            assert harness.store.get(hash_) == data

    def test_a_deleted_blob_is_missing(self, harness: BlobHarness) -> None:
        data = os.urandom(100)
        hash_ = hashing.of_bytes(data)
        harness.store.put(hash_, data)

        harness.store.delete(hash_)
        harness.store.delete(hash_)

        assert harness.store.find_missing([hash_]) == {hash_}

    def test_every_blob_is_listed_with_its_size_and_age(self, harness: BlobHarness) -> None:
        made = {hashing.of_bytes(data): len(data) for data in (os.urandom(size) for size in (1, 10, 100))}
        for data in (os.urandom(3), os.urandom(30)):
            made[hashing.of_bytes(data)] = len(data)
            harness.store.put(hashing.of_bytes(data), data)
        known = {hash_: size for hash_, size in made.items() if not harness.store.find_missing([hash_])}

        listed = {info.hash: info for info in harness.store.blobs()}

        assert {hash_: listed[hash_].size for hash_ in known} == known
        assert all(0 <= info.age < 60 for info in listed.values())

    def test_touching_what_is_not_there_does_nothing(self, harness: BlobHarness) -> None:
        hash_ = hashing.of_bytes(os.urandom(16))

        harness.store.touch([hash_])

        assert harness.store.find_missing([hash_]) == {hash_}

    def test_many_threads_put_one_blob(self, harness: BlobHarness) -> None:
        data = os.urandom(100_000)
        hash_ = hashing.of_bytes(data)

        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda _: harness.store.put(hash_, data), range(24)):
                assert harness.store.get(hash_) == data

    def test_a_name_that_is_no_digest_is_refused(self, harness: BlobHarness, tmp_path: Path) -> None:
        for name in ("sha256:../../etc/passwd", "sha256:" + "A" * 64, "", "a" * 64, "sha256:" + "a" * 63 + "\n"):
            with pytest.raises((ValueError, BlobCorrupt)):
                harness.store.put(name, b"x")
            with pytest.raises(ValueError):
                harness.store.get(name)

    def test_a_target_that_exists_is_left_alone(self, harness: BlobHarness, tmp_path: Path) -> None:
        hash_ = hashing.of_bytes(b"new")
        harness.store.put(hash_, b"new")
        (tmp_path / "out").write_bytes(b"old")

        with pytest.raises(LocalError):
            harness.store.fetch(hash_, tmp_path / "out")

        assert (tmp_path / "out").read_bytes() == b"old"


def damages(data: bytes, chance: random.Random, count: int) -> list[bytes]:
    """Wrong bytes made of right ones: a bit flipped, cut off, grown, emptied, zeroed."""
    made: list[bytes] = []
    while len(made) < count:
        at, kind = chance.randrange(len(data)), chance.randrange(5)
        if kind == 0:
            wrong = data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            wrong = data[:at]
        elif kind == 2:
            wrong = data + chance.randbytes(1 + at % 64)
        elif kind == 3:
            wrong = b""
        else:
            wrong = bytes(len(data))
        if wrong != data:
            made.append(wrong)
    return made
