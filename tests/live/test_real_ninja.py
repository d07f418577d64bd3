"""A real CMake project by ninja and by windrow-ninja: equal bytes, and no command that ninja would not have run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.real import engines, harness, sources, zstd_cmake
from benchmarks.real.engines import Engine, Ninja, Windrow
from benchmarks.real.harness import Left, Place
from benchmarks.real.sources import Unavailable

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

# Where ninja goes by times, contents say that nothing changed; a deleted output comes back from the store.
SPARED = {"touch of a source", "deleted object"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """zstd's static library, configured."""
    if shutil.which("gcc") is None:
        pytest.skip("zstd needs gcc")
    try:
        return Place(zstd_cmake.SHORT, tmp_path_factory.mktemp("real"), sources.cache_folder())
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"zstd cannot be had here: {error}")


@pytest.fixture(scope="module")
def by_ninja(place: Place) -> dict[str, Left]:
    """Every case, done by ninja."""
    return place.through(Ninja(place.environ), place.cases())


def _environ(place: Place, cache: Path) -> dict[str, str]:
    return {**place.environ, "WINDROW_CACHE_DIR": str(cache)}


def test_every_case_leaves_the_bytes_that_ninja_leaves(place: Place, by_ninja: dict[str, Left], tmp_path: Path) -> None:
    _as_ninja_does(place, Windrow("embedded", _environ(place, tmp_path / "cache")), by_ninja)


@pytest.mark.skipif(not os.environ.get("CI"), reason="it takes a minute, and a farm; benchmarks.real does it too")
def test_four_workers_leave_the_bytes_that_ninja_leaves(
    place: Place, by_ninja: dict[str, Left], tmp_path: Path
) -> None:
    with engines.farm(_environ(place, tmp_path / "cache"), tmp_path / "farm", workers=4) as environ:
        elsewhere = {**environ, "WINDROW_CACHE_DIR": str(tmp_path / "another")}

        _as_ninja_does(place, Windrow("farm", elsewhere, jobs=4), by_ninja)


def _as_ninja_does(place: Place, engine: Engine, by_ninja: dict[str, Left]) -> None:
    left = place.through(engine, place.cases())

    for name, verdict in harness.judge(by_ninja, left).items():
        assert (name, verdict.differing, verdict.idle) == (name, (), ())
        assert name in SPARED or not verdict.spared, name
        assert name not in SPARED or not left[name].ran.executed, name
