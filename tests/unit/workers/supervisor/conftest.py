"""A slot, closed again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workers.execute.slot import Slot


@pytest.fixture
def slot() -> Iterator[Slot]:
    slot = Slot()
    yield slot
    slot.close()
