"""The zstd library through its seven changes: here, on farms of two and of four workers, and by make."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import timing
from benchmarks.real import zstd
from benchmarks.rig import Checkout, environment, farm
from benchmarks.timing import ROUNDS, Row, Sample

FRESH = "fresh checkout, warm"
Engine = Callable[[], Sample]


def library(home: Path) -> list[Row]:
    """Time and executed commands of each case; every round of an engine begins with nothing built or stored."""
    engines = {
        "windrow, 2 slots": lambda folder: _windrow(folder, 0),
        "farm, 2 workers x 1": lambda folder: _windrow(folder, 2),
        "farm, 4 workers x 1": lambda folder: _windrow(folder, 4),
        "make -j2": _make,
    }
    taken: dict[str, dict[str, list[Sample]]] = {}
    for number in range(ROUNDS):
        for place, (who, engine) in enumerate(engines.items()):
            folder = home / f"{number}-{place}"
            with engine(zstd.project(folder / "tree")) as (build, fresh):
                for case in zstd.CASES:
                    case.change(folder / "tree")
                    taken.setdefault(case.name, {}).setdefault(who, []).append(build())
                if fresh is not None:
                    taken.setdefault(FRESH, {}).setdefault(who, []).append(fresh())
    return [row for case, samples in taken.items() for row in timing.rows(case, samples)]


@contextmanager
def _windrow(tree: Path, workers: int) -> Iterator[tuple[Engine, Engine | None]]:
    """workers: 0 for a build in its own process."""
    here = Checkout(tree, tree.parent / "cache")
    with ExitStack() as stack:
        if workers:
            stack.enter_context(farm(here, workers=workers, slots=1))
        yield lambda: here.counted("-j2"), lambda: _fresh(here)


def _fresh(built: Checkout) -> Sample:
    """The same tree in another folder, as another project; on a farm also from a machine that has nothing yet."""
    folder = built.folder.with_name("another")
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build", "make", ".windrow"))
    rules = (folder / "windrow.toml").read_text()
    (folder / "windrow.toml").write_text(rules.replace('name = "zstd"', 'name = "another"', 1))
    remote = (folder / "windrow.local.toml").exists()
    cache = folder.with_name("another-cache") if remote else Path(built.environ["WINDROW_CACHE_DIR"])
    return Checkout(folder, cache).counted("-j2")


@contextmanager
def _make(tree: Path) -> Iterator[tuple[Engine, Engine | None]]:
    env = environment(tree.parent)

    def build() -> Sample:
        said = tree.parent / "said"
        words = f"make -j2 all > {said}"
        sample = timing.run(["sh", "-c", words], tree, env)
        return Sample(sample.wall, sample.cpu, zstd.commands(said.read_text()))

    yield build, None
