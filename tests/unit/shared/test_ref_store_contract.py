"""Every RefStore that needs no real server keeps the contract; the bucket is moto's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from shared.storage.credentials import Keys
from shared.storage.disk_refs import DiskRefs
from shared.storage.memory import MemoryRefs
from shared.storage.refs import RefStore
from shared.storage.s3_client import Bucket, make_bucket
from shared.storage.s3_refs import S3Refs
from tests.contracts.ref_store import RefStoreContract


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = one_at_a_time(server._server.app)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    make_bucket("unit", endpoint=endpoint, keys=Keys("key", "secret"))
    yield endpoint
    server.stop()


def one_at_a_time(app: Any) -> Any:
    """An application that answers one request after another: moto compares and writes in two steps, buckets in one."""
    lock = threading.Lock()

    def answer(environ: Any, start: Any) -> list[bytes]:
        with lock:
            return list(app(environ, start))

    return answer


class TestMemoryRefs(RefStoreContract):
    @pytest.fixture
    def refs(self) -> RefStore:
        return MemoryRefs()


class TestDiskRefs(RefStoreContract):
    @pytest.fixture
    def refs(self, tmp_path: Path) -> RefStore:
        return DiskRefs(tmp_path / "store")


class TestS3Refs(RefStoreContract):
    @pytest.fixture
    def refs(self, moto: str, tmp_path: Path) -> RefStore:
        return S3Refs(Bucket(f"s3://unit/{tmp_path.name}", endpoint=moto, keys=Keys("key", "secret")))
