"""Every BlobStore that needs no real server keeps the contract; the bucket is moto's, which checks no sums."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from moto.server import ThreadedMotoServer

from shared.storage import names
from shared.storage.caching import CachingBlobs
from shared.storage.credentials import Keys
from shared.storage.disk import DiskBlobs
from shared.storage.memory import MemoryBlobs
from shared.storage.s3 import S3Blobs
from shared.storage.s3_client import Bucket, make_bucket
from tests.contracts.blob_store import BlobHarness, BlobStoreContract


def damage_on_disk(store: DiskBlobs, hash_: str, data: bytes) -> None:
    path = store.path(hash_)
    path.unlink()
    path.write_bytes(data)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    make_bucket("unit", endpoint=endpoint, keys=Keys("key", "secret"))
    yield endpoint
    server.stop()


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


class TestCachingBlobs(BlobStoreContract):
    """Damage hits both: what the fast one lost, the slow one gives."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> BlobHarness:
        slow, fast = MemoryBlobs(), DiskBlobs(tmp_path / "fast")

        def damage(hash_: str, data: bytes) -> None:
            damage_on_disk(fast, hash_, data)
            slow.contents[hash_] = data

        return BlobHarness(CachingBlobs(slow, fast), damage)


class TestS3Blobs(BlobStoreContract):
    @pytest.fixture
    def harness(self, moto: str, tmp_path: Path) -> BlobHarness:
        bucket = Bucket(f"s3://unit/{tmp_path.name}", endpoint=moto, keys=Keys("key", "secret"))

        def damage(hash_: str, data: bytes) -> None:
            obstore.put(bucket.store, names.blob_name(hash_), data)

        return BlobHarness(S3Blobs(bucket), damage)
