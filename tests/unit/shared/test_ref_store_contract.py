"""Every RefStore that needs no server keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.storage.disk_refs import DiskRefs
from shared.storage.memory import MemoryRefs
from shared.storage.refs import RefStore
from tests.contracts.ref_store import RefStoreContract


class TestMemoryRefs(RefStoreContract):
    @pytest.fixture
    def refs(self) -> RefStore:
        return MemoryRefs()


class TestDiskRefs(RefStoreContract):
    @pytest.fixture
    def refs(self, tmp_path: Path) -> RefStore:
        return DiskRefs(tmp_path / "store")
