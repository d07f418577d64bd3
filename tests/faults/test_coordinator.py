"""The coordinator is killed, stopped or interrupted: the next build finds all that was finished, and nothing broken."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.running import KILLED, alive
from tests.faults.site import JOBS, Site
from tests.sweeps import sampled
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]

BEFORE_COMMIT = (
    "worker.fetched",
    "worker.ran",
    "worker.uploaded",
    "worker.stored",
    "materialise.journal-written",
    "materialise.renamed-1",
    "materialise.renamed-3",
    "materialise.renamed-4",
    "materialise.done",
    "commit.before-manifest",
    "commit.after-manifest",
    "commit.before-pointer",
)
ORDINARY = {
    "worker.ran",
    "worker.uploaded",
    "worker.stored",
    "materialise.journal-written",
    "materialise.renamed-3",
    "commit.after-manifest",
    "commit.after-pointer",
    "events.trimmed",
}
AFTER_COMMIT = ("commit.after-pointer", "events.archived", "events.trimmed", "lock.before-release")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.end()


@pytest.mark.parametrize("place", sampled([*BEFORE_COMMIT, *AFTER_COMMIT], ORDINARY))
def test_a_build_killed_at_a_failpoint_is_made_good_by_the_next(site: Site, place: str) -> None:
    with site.witness():
        site.right(began=15)
        needed, known = site.edit(0), site.results()

        assert site.build(failpoint=f"{place}=kill").code == KILLED

        assert site.revision() == (2 if place in AFTER_COMMIT else 1)
        site.heals(needed=needed, known=known)
    assert site.manifest().base_revision == 1


@pytest.mark.parametrize(
    "place", ["worker.stored", "materialise.renamed-7", "commit.before-pointer", "lock.before-release"]
)
def test_a_first_build_killed_at_a_failpoint_is_made_good_by_the_next(site: Site, place: str) -> None:
    with site.witness():
        assert site.build(failpoint=f"{place}=kill").code == KILLED

        site.heals(needed=JOBS, known=())


def test_a_build_killed_time_and_again_loses_nothing_that_was_finished(site: Site) -> None:
    with site.witness():
        for place in (
            "worker.uploaded",
            "worker.stored",
            "materialise.renamed-2",
            "commit.after-manifest",
            "commit.before-pointer",
        ):
            finished = site.stored(())
            built = site.build(failpoint=f"{place}=kill")
            assert built.code == KILLED
            assert not finished.intersection(built.began)
        site.heals(needed=JOBS, known=())
    assert site.manifest().base_revision == 0


def test_a_build_killed_in_mid_job_leaves_no_job_running(site: Site) -> None:
    site.hold("pair1", "part7")
    running = site.start()
    site.await_begun("pair1")

    assert running.kill().code == KILLED

    until(lambda: not site.alive(), what="the end of its jobs")
    site.let_go()
    site.heals(needed=JOBS, known=())


def test_a_build_killed_with_everything_it_started_is_made_good_by_the_next(site: Site) -> None:
    site.hold("pair1", "part7")
    running = site.start()
    site.await_begun("pair1")

    assert running.kill(whole=True).code == KILLED

    site.let_go()
    site.heals(needed=JOBS, known=())


def test_a_job_whose_build_and_supervisor_were_killed_is_ended_by_the_next_build(site: Site) -> None:
    site.hold("pair1")
    running = site.start()
    site.await_begun("pair1")
    dying = [psutil.Process(running.process.pid), *running.supervisors()]
    for process in dying:
        process.suspend()
    for process in dying:
        process.kill()
    assert running.wait().code == KILLED
    orphans = running.family()
    assert orphans

    following = site.start()
    site.await_begun("pair1", times=2)

    until(lambda: not any(map(alive, orphans)), what=f"the end of {orphans}")
    site.let_go()
    assert following.wait().code == 0
    site.is_right()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_its_jobs_and_gives_back_the_lock(site: Site, number: int) -> None:
    site.right()
    needed, known = site.edit(0, 7), site.results()
    before = site.outputs()
    site.hold("pair0")
    running = site.start()
    site.await_begun("pair0", since=15)

    running.signal(number)
    built = running.wait()

    assert built.code == 130, built.output
    assert "interrupted" in built.output
    assert "Traceback" not in built.output
    assert site.project().lock().current() is None
    site.left_nothing()
    assert site.outputs() == before
    assert site.revision() == 1
    site.let_go()
    healed = site.heals(needed=needed, known=known)
    assert set(healed.began) < needed


def test_ctrl_c_at_a_terminal_reaches_the_jobs_too_and_does_no_more(site: Site) -> None:
    site.hold("pair0")
    running = site.start()
    site.await_begun("pair0")

    running.look()
    os.killpg(running.process.pid, signal.SIGINT)
    built = running.wait()

    assert built.code == 130, built.output
    site.left_nothing()
    site.let_go()
    site.heals(needed=JOBS, known=())


@pytest.mark.parametrize("place", ["materialise.journal-written", "materialise.renamed-2", "commit.before-pointer"])
def test_a_build_interrupted_while_it_commits_is_made_good_by_the_next(site: Site, place: str) -> None:
    with site.witness():
        site.right()
        needed, known = site.edit(0), site.results()
        running = site.start(WINDROW_FAILPOINT=f"{place}=stop")
        running.await_stopped()

        running.signal(signal.SIGINT)
        running.signal(signal.SIGCONT)
        built = running.wait()

        assert built.code in (0, 130), built.output
        assert site.project().lock().current() is None
        site.heals(needed=needed, known=known)


def test_a_build_that_was_asleep_past_its_lease_cannot_commit_any_more(tmp_path: Path) -> None:
    short = {"WINDROW_BUILD__LEASE": "1"}
    site = Site(tmp_path, short)
    other = Site(tmp_path, short, tree=tmp_path / "other")
    try:
        with site.witness():
            site.right()
            site.edit(0)
            sleeper = site.start(WINDROW_FAILPOINT="commit.before-pointer=stop")
            sleeper.await_stopped()
            other.edit(1)

            overtaking = other.build("--wait", "30")
            assert overtaking.code == 0, overtaking.output
            manifest = site.manifest()
            sleeper.signal(signal.SIGCONT)
            built = sleeper.wait()

            assert built.code in (11, 32), built.output
            assert site.manifest() == manifest
            other.is_right()
            site.right()
    finally:
        site.end()
        other.end()


def test_a_killed_job_fails_alone_and_the_next_build_runs_it(site: Site) -> None:
    site.hold("pair1")
    running = site.start("-k")
    site.await_begun("pair1")

    for shell in site.shells("pair1"):
        shell.kill()
    built = running.wait()

    assert built.code == 1, built.output
    assert "killed by SIGKILL" in built.output
    assert site.revision() == 0
    site.left_nothing()
    site.let_go()
    again = site.right()
    assert set(again.began) == {"pair1", "half0", "whole"}


def test_a_stopped_job_is_ended_by_its_time_limit(site: Site) -> None:
    site.rules(pair1_more="timeout = 1.0")
    site.hold("pair1")
    running = site.start("-k")
    site.await_begun("pair1")

    for shell in site.shells("pair1"):
        shell.suspend()
    built = running.wait()

    assert built.code == 1, built.output
    assert "time limit of 1 s" in built.output
    site.left_nothing()
    site.let_go()
    assert set(site.right().began) == {"pair1", "half0", "whole"}


def test_a_job_whose_supervisor_is_killed_ends_and_the_next_build_is_right(site: Site) -> None:
    site.hold("pair1")
    running = site.start("-j", "1")
    site.await_begun("pair1")

    (supervisor,) = running.supervisors()
    supervisor.kill()
    until(lambda: running.over or site.begun().count("pair1") == 2, what="what comes of it")
    site.let_go()
    built = running.wait()

    assert built.code in (0, 1), built.output
    site.left_nothing()
    site.right()
