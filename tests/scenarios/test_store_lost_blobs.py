"""The store that all share loses blobs behind everybody's back, while this machine still has them: the next build mends it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import hashing
from tests.scenarios.real_workspace import COUNTING, RealWorkspace


class Shared(RealWorkspace):
    """A project whose store is a folder that other machines use too."""

    def __init__(self, root: Path, *, cache: Path | None = None, keep: str = "tree") -> None:
        super().__init__(root, cache=cache)
        self.far = root.parent / "far"
        self.environ["WINDROW_STORAGE__URL"] = f"file://{self.far}"
        self.console.variables["WINDROW_STORAGE__URL"] = f"file://{self.far}"
        self.write("windrow.toml", COUNTING.format(name="lost", keep=keep))
        self.write("src/a.txt", "one")
        self.write("src/b.txt", "one two")

    def lose(self) -> None:
        """Take every blob out of the shared store."""
        for path in (self.far / "blobs").rglob("*"):
            if path.is_file():
                path.unlink()

    def holds(self, path: str) -> bool:
        """Whether the shared store has what the current revision says a path holds."""
        digits = hashing.bare(self.manifest().artefacts[path].hash)
        return (self.far / "blobs" / digits[:2] / digits).is_file()


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Shared]:
    project = Shared(tmp_path / "tree")
    assert project.build().executed == 3
    yield project


def test_an_edit_stores_again_what_its_jobs_make(built: Shared) -> None:
    """The total comes out as before and is found on this machine; the revision must not name what only that has."""
    built.lose()
    built.write("src/a.txt", "two")

    report = built.build()

    assert (report.status, report.revision) == ("ok", 2)
    assert built.holds("made/a.count")
    assert not built.observer.warnings


@pytest.mark.parametrize("outputs", ["kept", "deleted"])
def test_a_full_build_stores_everything_again_and_executes_nothing(built: Shared, outputs: str) -> None:
    built.lose()
    if outputs == "deleted":
        shutil.rmtree(built.root / "made")
    found = built.console.run("cache", "verify")

    said = built.console.run("build", "--full", "--json")

    assert (found.code, "`windrow build --full` makes again what is missing" in found.out) == (10, True)
    assert (said.code, said.json()["executed"], said.json()["revision"]) == (0, 0, None), said
    assert all(map(built.holds, ("made/a.count", "made/b.count", "total")))
    assert built.console.run("cache", "verify").code == 0
    assert (built.read("made/a.count"), built.read("total")) == ("1\n", "1\n2\n")


def test_what_no_file_holds_any_more_is_executed_again(tmp_path: Path) -> None:
    """Outputs in the store alone, of which this machine knows the results and lost the bytes while the build ran."""
    project = Shared(tmp_path / "tree", keep="store")
    project.build()
    project.lose()
    for hash_ in {made.hash for made in project.manifest().artefacts.values() if made.stored}:
        # There, so that results answer; and not what they are, so that nothing can be stored again.
        path = project.project().stores.local.path(hash_)
        path.chmod(0o644)
        path.write_text("x\n")

    said = project.console.run("build", "--full", "--json")

    assert said.code == 0, said
    assert said.json()["executed"] >= 2
    assert all(map(project.holds, ("made/a.count", "made/b.count", "total")))


def test_another_machine_finds_what_was_stored_again(built: Shared, tmp_path: Path) -> None:
    built.lose()
    built.console.run("build", "--full")
    other = Shared(tmp_path / "other", cache=tmp_path / "other-cache")

    report = other.build()

    assert (report.executed, report.reused) == (0, {"remote": 3})
    assert other.read("total") == "1\n2\n"
