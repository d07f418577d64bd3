"""What travels with a message: small files, as long as there is room, and only if they are what they are said to be."""

from __future__ import annotations

import pytest

from shared import hashing
from shared.errors import BlobCorrupt
from shared.storage.caching import CachingBlobs
from shared.storage.carried import ALL, EACH, carried, honest
from shared.storage.disk import DiskBlobs
from shared.storage.memory import MemoryBlobs
from tests.fakes.clock import FakeClock


def stored(blobs, *datas):
    sizes = {}
    for data in datas:
        hash_ = hashing.of_bytes(data)
        blobs.put(hash_, data)
        sizes[hash_] = len(data)
    return sizes


def test_small_files_travel_and_larger_ones_stay():
    blobs = MemoryBlobs()
    sizes = stored(blobs, b"small", b"x" * EACH, b"y" * (EACH + 1))

    assert sorted(map(len, carried(blobs, sizes).values())) == [5, EACH]


def test_all_together_are_no_more_than_fits():
    blobs = MemoryBlobs()
    sizes = stored(blobs, *(bytes([number]) * EACH for number in range(5)), b"last and least")

    found = carried(blobs, sizes)

    assert sum(map(len, found.values())) <= ALL
    assert len(found) == ALL // EACH


def test_bytes_of_another_digest_are_left_out():
    right, wrong = hashing.of_bytes(b"right"), hashing.of_bytes(b"other")

    assert honest({right: b"right", wrong: b"wrong"}) == {right: b"right"}


def test_what_was_stored_or_read_is_believed_for_a_while(tmp_path):
    far, clock = MemoryBlobs(), FakeClock()
    blobs = CachingBlobs(far, DiskBlobs(tmp_path), clock=clock, trust=60)
    (hash_,) = stored(blobs, b"bytes")
    (other,) = stored(far, b"others")

    assert (blobs.believes(hash_), blobs.believes(other)) == (True, False)
    clock.advance(30)
    blobs.get(other)
    assert blobs.believes(other)
    clock.advance(31)
    assert (blobs.believes(hash_), blobs.believes(other)) == (False, True)
    blobs.forget(other)
    assert not blobs.believes(other)


def test_what_was_taken_is_here_and_counts_as_present(tmp_path):
    far = MemoryBlobs()
    blobs = CachingBlobs(far, DiskBlobs(tmp_path))
    hash_ = hashing.of_bytes(b"bytes")

    blobs.take(hash_, b"bytes")

    assert blobs.get(hash_) == b"bytes"
    assert blobs.find_missing([hash_]) == set()
    assert blobs.bytes_down == 0
    with pytest.raises(BlobCorrupt):
        blobs.take(hashing.of_bytes(b"bytes too"), b"others")
    assert blobs.find_missing([hashing.of_bytes(b"bytes too")]) != set()
