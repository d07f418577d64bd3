"""Folders that appear elsewhere for one command change nothing of what a slot promises about its processes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.rooted import ways
from tests.unit.workers.supervisor.commands import DAEMONS, PATH, survivors, token
from tests.waiting import until
from workers.execute.isolation import Isolation
from workers.execute.slot import UNSEEN, Ended, Request, Slot, View
from workers.sandbox.home import Home
from workers.sandbox.strays import end_all_in

WAYS = ways()


@pytest.fixture
def slot() -> Iterator[Slot]:
    slot = Slot()
    yield slot
    slot.close()


@pytest.fixture(params=["mounts", "user-mounts"])
def way(request: pytest.FixtureRequest) -> Isolation:
    if request.param not in WAYS:
        pytest.skip(f"this machine has no {request.param}")
    found: Isolation = request.param
    return found


class Site:
    """A folder of a job, and the place at which it appears."""

    def __init__(self, folder: Path, way: Isolation) -> None:
        # A name like that of a real home, and like it not that of any other.
        self.home = folder / f"w-{os.getpid()}-{token()}"
        self.place, self.root, self.way = self.home / "1", folder / "root", way
        for path in (self.place / "tree", self.place / "tmp", self.root):
            path.mkdir(parents=True)

    def request(self, script: str, *, timeout: float = 20.0, **about: object) -> Request:
        view = View(((str(self.place / "tree"), str(self.root)),), (), user=self.way == "user-mounts")
        fields: dict[str, object] = {
            "argv": ("sh", "-c", script),
            "cwd": str(self.root),
            "env": {"PATH": PATH},
            "stdout": str(self.place / "stdout"),
            "stderr": str(self.place / "stderr"),
            "timeout": timeout,
            "folder": str(self.place / "tree"),
            "view": view,
        }
        return Request(**{**fields, **about})  # type: ignore[arg-type]


@pytest.fixture
def site(tmp_path: Path, way: Isolation) -> Site:
    return Site(tmp_path, way)


@pytest.mark.parametrize("ending", ["exits", "is too slow"])
@pytest.mark.parametrize("kind", DAEMONS)
def test_no_process_survives_its_command(slot: Slot, site: Site, kind: str, ending: str) -> None:
    mark = token()
    start = DAEMONS[kind].replace("{python}", sys.executable).replace("{t}", mark)
    wait = "sleep 0.15; exit 0" if ending == "exits" else f"sleep {mark}"

    ended = slot.run(site.request(f"{start}\n{wait}", timeout=20.0 if ending == "exits" else 0.4))

    assert survivors(mark) == []
    assert ended.timed_out == (ending == "is too slow")
    assert ended.stragglers >= 1


def test_a_cancel_kills_at_once(slot: Slot, site: Site) -> None:
    mark, cancelled, outcome = token(), threading.Event(), list[Ended]()
    job = site.request(f"setsid sleep {mark} & sleep {mark}")
    thread = threading.Thread(target=lambda: outcome.append(slot.run(job, cancelled.is_set)))
    thread.start()
    until(lambda: len(survivors(mark)) >= 3)

    cancelled.set()
    thread.join(10)

    assert outcome[0].cancelled
    assert survivors(mark) == []


def test_a_supervisor_that_dies_loses_its_command_wherever_that_went(slot: Slot, site: Site) -> None:
    mark = token()

    lost = slot.run(site.request(f"cd /; setsid sleep {mark} & kill -9 $PPID; sleep {mark}"))
    again = slot.run(site.request("true"))

    assert lost.lost
    until(lambda: survivors(mark) == [])
    assert again.exit_code == 0


def test_what_a_dead_worker_left_running_is_ended(slot: Slot, site: Site, tmp_path: Path) -> None:
    mark = token()
    job = site.request(f"cd /; setsid sleep {mark} & kill -9 $PPID; sleep {mark}", folder="")
    assert slot.run(job).lost
    assert len(survivors(mark)) >= 1
    (site.home / "lock").touch()

    Home(tmp_path).close()

    until(lambda: survivors(mark) == [])


def test_jobs_of_others_are_left_alone(slot: Slot, site: Site) -> None:
    mark, ended = token(), list[Ended]()
    thread = threading.Thread(target=lambda: ended.append(slot.run(site.request(f"sleep {mark}; true"))))
    thread.start()
    until(lambda: len(survivors(mark)) >= 2)

    end_all_in(str(site.home / "2/tree"))
    end_all_in(str(site.home)[:-1])

    assert len(survivors(mark)) >= 2
    slot.cancel()
    thread.join(10)
    assert ended[0].cancelled


def test_the_command_sees_it_and_the_supervisor_does_not(slot: Slot, site: Site) -> None:
    ended = slot.run(site.request("pwd; touch file; readlink /proc/self/ns/mnt"))

    said = (site.place / "stdout").read_text().split()
    assert ended.exit_code == 0
    assert said[0] == str(site.root)
    assert said[1] != os.readlink("/proc/self/ns/mnt")
    assert (site.place / "tree/file").exists()
    assert list(site.root.iterdir()) == []


def test_a_command_has_no_more_rights_than_its_user(slot: Slot, site: Site) -> None:
    if os.geteuid() == 0:
        pytest.skip("root has them anyway")

    slot.run(site.request("grep CapEff /proc/self/status; id -u"))

    assert (site.place / "stdout").read_text().split() == ["CapEff:", "0" * 16, str(os.geteuid())]


def test_a_view_that_cannot_be_had_is_told_apart_from_a_failing_command(slot: Slot, site: Site) -> None:
    view = View(((str(site.place / "nowhere"), str(site.root)),), user=site.way == "user-mounts")

    ended = slot.run(site.request("true", view=view))

    assert (ended.error_errno, ended.exit_code) == (UNSEEN, -1)
    assert "nowhere" in ended.error
    assert slot.run(site.request("true")).exit_code == 0


def test_programs_are_found_where_they_appear(slot: Slot, site: Site) -> None:
    tool = site.place / "tree/bin/tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)

    slot.run(site.request("", argv=("tool",), env={"PATH": f"{site.root}/bin:{PATH}"}))

    assert (site.place / "stdout").read_text() == "found\n"


def test_many_commands_leave_no_descriptor_open(slot: Slot, site: Site) -> None:
    slot.run(site.request("true"))
    assert slot._process is not None
    fds = Path(f"/proc/{slot._process.pid}/fd")
    before = len(list(fds.iterdir()))

    for number in range(5):
        binds = ((str(site.place / "tree"), f"{site.root}/missing{number}"),)
        slot.run(site.request("true", view=View(binds, user=site.way == "user-mounts"), cwd="/"))

    assert len(list(fds.iterdir())) == before
