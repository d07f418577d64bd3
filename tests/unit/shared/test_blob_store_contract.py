"""Every BlobStore that needs no server keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.storage.disk import DiskBlobs
from shared.storage.memory import MemoryBlobs
from tests.contracts.blob_store import BlobHarness, BlobStoreContract


def damage_on_disk(store: DiskBlobs, hash_: str, data: bytes) -> None:
    path = store.path(hash_)
    path.unlink()
    path.write_bytes(data)


class TestMemoryBlobs(BlobStoreContract):
    @pytest.fixture
    def harness(self) -> BlobHarness:
        store = MemoryBlobs()
        return BlobHarness(store, store.contents.__setitem__)


class TestDiskBlobs(BlobStoreContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> BlobHarness:
        store = DiskBlobs(tmp_path / "store")
        return BlobHarness(store, lambda hash_, data: damage_on_disk(store, hash_, data))
