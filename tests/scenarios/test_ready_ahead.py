"""What performs commands here is started while the build begins, where some are sure to run, and only there."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import psutil
import pytest

from cli.ninja_project import open_build_folder
from cli.performers import here
from coordinator import build as building
from coordinator.dispatch.inline import InlinePerformer
from coordinator.dispatch.performer import Performer
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.request import Request
from shared.clock import SystemClock
from shared.errors import LockHeld
from shared.storage.caching import CachingBlobs
from shared.storage.compose import open_stores
from shared.storage.disk import DiskBlobs
from shared.storage.memory import MemoryBlobs
from tests.fakes.observer import RecordingObserver
from tests.fakes.performers import here_only

# Like CMake's custom commands: `stamp` is never made, so the edge is never up to date; here it makes `side`.
TEXT = """\
rule copy
  command = cp $in $out
rule beside
  command = cp $in side
build out: copy in
build stamp: beside in
default {default}
"""


class BuildFolder:
    """ready: how many commands were expected, each time, and the supervisors that stood ready for them.

    stored_in: where blobs are, if not in the cache folder.
    """

    def __init__(self, root: Path, *, default: str = "out stamp", stored_in: CachingBlobs | None = None) -> None:
        self.root, self._stored_in = root, stored_in
        self.ready: list[tuple[int, list[psutil.Process]]] = []
        self.environ = {"PATH": os.environ["PATH"], "WINDROW_CACHE_DIR": str(root.parent / "cache")}
        root.mkdir()
        (root / "in").write_text("in\n")
        (root / "build.ninja").write_text(TEXT.format(default=default))

    def project(self) -> Project:
        settings = open_build_folder(self.root, "build.ninja", flags={"jobs": 2}, environ=self.environ)
        stores = open_stores(settings)
        if self._stored_in is not None:
            stores = msgspec.structs.replace(stores, blobs=self._stored_in, remote=True)
        return Project(
            settings, environ=self.environ, clock=SystemClock(), performers=here_only(self._here), stores=stores
        )

    def build(self) -> BuildReport:
        return building.build(self.project(), Request(), RecordingObserver())

    def _here(self, project: Project, commands: int) -> Performer:
        before = set(psutil.Process().children())
        made = here(project, commands)
        assert isinstance(made, InlinePerformer)
        if commands:
            self.ready.append((commands, [child for child in psutil.Process().children() if child not in before]))
        return made


@pytest.fixture
def folder(tmp_path: Path) -> BuildFolder:
    made = BuildFolder(tmp_path / "tree")
    assert made.build().executed == 2
    made.ready.clear()
    return made


def test_an_edge_that_is_never_up_to_date_finds_its_supervisor_started(folder: BuildFolder) -> None:
    (folder.root / "side").unlink()

    report = folder.build()

    ((commands, supervisors),) = folder.ready
    assert (report.planned, report.executed) == (1, 1)
    assert (folder.root / "side").read_text() == "in\n"
    assert (commands, len(supervisors)) == (1, 1)
    assert not any(supervisor.is_running() for supervisor in supervisors)


def test_an_edge_that_is_never_up_to_date_sends_nothing_that_is_stored(tmp_path: Path) -> None:
    """Here by another build of this process; a store that is elsewhere is not told again what it has."""
    far = Counting()
    made = BuildFolder(tmp_path / "tree", stored_in=CachingBlobs(far, DiskBlobs(tmp_path / "near")))
    assert made.build().executed == 2
    sent = list(far.sent)

    report = made.build()

    assert (report.planned, report.executed) == (1, 1)
    assert sent
    assert far.sent == sent


class Counting(MemoryBlobs):
    """Notes what is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def put(self, hash_: str, data: bytes) -> int:
        """See BlobStore."""
        self.sent.append(hash_)
        return super().put(hash_, data)


def test_where_none_is_sure_to_run_nothing_is_started(tmp_path: Path) -> None:
    folder = BuildFolder(tmp_path / "tree", default="out")
    assert folder.build().executed == 1
    assert folder.build().status == "no-changes"
    (folder.root / "in").write_text("new\n")

    assert folder.build().executed == 1

    assert folder.ready == []


def test_a_build_that_may_not_begin_leaves_no_supervisor_behind(folder: BuildFolder) -> None:
    other = folder.project()
    with building._held(other, Request(), "other", other.load_base()), pytest.raises(LockHeld):
        folder.build()

    ((_, supervisors),) = folder.ready
    assert not any(supervisor.is_running() for supervisor in supervisors)


def test_what_cannot_be_made_ready_is_told_when_it_is_needed(tmp_path: Path) -> None:
    """And by the error that it was, not by a thread."""
    made = BuildFolder(tmp_path / "tree")
    made.build()
    made._here = _refuse  # type: ignore[method-assign]

    with pytest.raises(LockHeld, match="no room"):
        made.build()


def _refuse(_project: Project, _commands: int) -> Performer:
    raise LockHeld("no room")
