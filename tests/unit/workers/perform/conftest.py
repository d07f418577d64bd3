"""A worker that performs orders from start to finish, with real compilers in real sandboxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.workers.perform.farm import Farm


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path)
    yield farm
    farm.worker.close()
    left = tmp_path / "sandboxes"
    assert not left.exists() or list(left.iterdir()) == []
