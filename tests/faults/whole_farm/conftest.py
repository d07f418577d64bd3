"""Whole builds on a farm whose workers, broker, store or coordinator are killed, frozen and started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.farm import Farm, running_farm
from tests.faults.site import Site


@pytest.fixture(scope="session")
def shared_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with running_farm(tmp_path_factory.mktemp("farm")) as made:
        yield made


@pytest.fixture
def farm(shared_farm: Farm) -> Iterator[Farm]:
    """One worker at the start, and servers that are well; both again at the end."""
    shared_farm.ensure(1)
    yield shared_farm
    shared_farm.mend()
    for worker in shared_farm.workers:
        if not worker.over:
            worker.thaw()


@pytest.fixture
def site(farm: Farm, tmp_path: Path) -> Iterator[Site]:
    made = farm.site(tmp_path)
    yield made
    made.let_go()
    made.end()
