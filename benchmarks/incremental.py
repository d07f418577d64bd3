"""Generated projects: nothing to do, one change, and everything, against ninja and make."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks import generated, timing
from benchmarks.rig import Checkout
from benchmarks.timing import Row, Sample


class Trees:
    """One project, built by each contender into a folder of its own."""

    def __init__(self, home: Path, count: int) -> None:
        self.folder = home / f"files{count}"
        self.folder.mkdir()
        generated.project(self.folder, count)
        self.windrow = Checkout(self.folder, home / f"cache{count}")
        self.changes = 0

    def ninja(self) -> Sample:
        """Build with ninja."""
        return timing.run(["ninja", "-j2", "--quiet"], self.folder, self.windrow.environ)

    def make(self, *words: str) -> Sample:
        """Build with make, or only ask it."""
        return timing.run(["make", "-s", *(words or ("-j2",))], self.folder, self.windrow.environ)

    def changed(self, build: Callable[[], Sample]) -> Callable[[], Sample]:
        """A build after a change of one file."""

        def after_a_change() -> Sample:
            self.changes += 1
            (self.folder / "src/000/f00007.txt").write_text(f"change {self.changes}\n")
            return build()

        return after_a_change

    def anew(self, build: Callable[[], Sample]) -> Callable[[], Sample]:
        """A build of everything; each contender begins in a folder of its own, as deleting costs later builds."""

        def from_nothing() -> Sample:
            self.changes += 1
            fresh = self.folder.with_name(f"{self.folder.name}-{self.changes}")
            shutil.copytree(
                self.folder, fresh, ignore=shutil.ignore_patterns(".windrow", "build", "make", "ninja", ".ninja*")
            )
            (fresh / "make").mkdir()
            before, self.folder = self.folder, fresh
            self.windrow = Checkout(fresh, fresh.with_name(f"{fresh.name}-cache"))
            try:
                return build()
            finally:
                self.folder = before

        return from_nothing


def no_op(home: Path) -> list[Row]:
    """A build with nothing to do."""
    found: list[Row] = []
    for count in (100, 1_000, 10_000):
        trees = Trees(home, count)
        trees.windrow.build(), trees.ninja(), trees.make()
        found += timing.compare(
            f"{count:,} files",
            {"windrow": trees.windrow.build, "ninja": trees.ninja, "make -q": lambda t=trees: t.make("-q")},  # type: ignore[misc]
        )
    return found


def one_change(home: Path) -> list[Row]:
    """A build after one file of so many changed."""
    found: list[Row] = []
    for count in (100, 10_000):
        trees = Trees(home, count)
        trees.windrow.build(), trees.ninja(), trees.make()
        contenders = {"windrow": trees.windrow.build, "ninja": trees.ninja, "make": trees.make}
        found += timing.compare(
            f"1 of {count:,} files", {who: trees.changed(build) for who, build in contenders.items()}
        )
    return found


def clean(home: Path) -> list[Row]:
    """A first build of 1,000 jobs that each copy a file, in two slots."""
    trees = Trees(home, 1_000)
    contenders = {
        "windrow": lambda: trees.windrow.build("-j2"),
        "ninja": trees.ninja,
        "make": trees.make,
    }
    return timing.compare("1,000 jobs", {who: trees.anew(build) for who, build in contenders.items()})
