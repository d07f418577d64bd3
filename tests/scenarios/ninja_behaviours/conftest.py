"""Build folders that the real ninja and Windrow build, one behaviour a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)
