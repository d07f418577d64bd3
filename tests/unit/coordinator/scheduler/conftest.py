"""A chain of three jobs on the bench."""

from __future__ import annotations

import pytest

from tests.unit.coordinator.scheduler.bench import Bench, step


@pytest.fixture
def chain(tmp_path) -> Bench:
    return Bench(tmp_path, [step("mid", "in"), step("final", "mid")], {"in": "1"})
