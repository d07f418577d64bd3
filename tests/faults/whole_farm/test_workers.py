"""Workers that come, go, are killed, frozen, late or out of disk during a build."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from shared import queue
from tests.faults.disk import fill, needs_root, small_disk
from tests.faults.farm import SLOTS, Farm, rests
from tests.faults.running import KILLED, alive
from tests.faults.site import JOBS, Site
from tests.sweeps import sampled
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.live, pytest.mark.timeout(150)]


def test_workers_that_come_and_go_during_a_build_change_nothing(farm: Farm, site: Site) -> None:
    """X-01: from one to four and back to one."""
    site.hold("part0", "pair1")
    running = site.start()
    site.await_begun("part0")

    farm.ensure(4)
    site.let_go("part0")
    site.await_begun("pair1")
    stays = farm.runner("pair1", site)
    for worker in farm.workers:
        if worker is not stays:
            worker.process.send_signal(signal.SIGTERM)
    until(lambda: all(worker.over for worker in farm.workers if worker is not stays), what="the end of three workers")
    site.let_go()

    built = running.wait()
    assert built.code == 0, built.output
    assert Counter(built.began) == Counter(JOBS)
    site.is_right()
    rests(farm)


@pytest.mark.parametrize("skew", [3600.0, -3600.0])
def test_a_worker_whose_clock_is_an_hour_off_changes_nothing(farm: Farm, site: Site, skew: float) -> None:
    """X-05: nothing is decided by what a worker takes the time to be."""
    farm.workers.pop().kill(whole=True)
    farm.start(0, skew=skew)
    farm.ready(*farm.workers)

    site.right(began=15)
    needed = site.edit(3)
    assert set(site.right().began) == needed
    site.right(began=0)


def test_two_projects_that_build_at_once_do_not_meet(farm: Farm, site: Site, tmp_path: Path) -> None:
    """X-06: each has its own lock, and both get through."""
    other = farm.site(tmp_path / "other")
    try:
        site.hold("whole")
        first = site.start()
        site.await_begun("whole")
        assert other.right().code == 0
        site.let_go()

        assert first.wait().code == 0
        site.is_right()
        assert (site.revision(), other.revision()) == (1, 1)
    finally:
        other.end()


def test_a_worker_that_was_missed_does_not_run_a_job_beside_itself(farm: Farm, site: Site, tmp_path: Path) -> None:
    """Its job is sent again, comes back to it, and waits for the run that is under way; the other slot stays free."""
    other = farm.site(tmp_path / "other")
    (worker,) = farm.workers
    left = set(farm.redis.keys(queue.claims_key("*")))  # by builds that were killed
    try:
        site.hold("whole")
        running = site.start()
        site.await_begun("whole")

        (claims,) = set(farm.redis.keys(queue.claims_key("*"))) - left
        claimed = farm.redis.hlen(claims)
        worker.freeze()
        until(lambda: not farm.beats(), what="it to be missed")
        missed = time.monotonic() + 1.5
        until(lambda: time.monotonic() > missed, what="its job to be sent again")
        worker.thaw()
        until(lambda: farm.redis.hlen(claims) > claimed, what="the job to be taken again")

        assert other.right().code == 0
        site.let_go()
        built = running.wait()
        assert (built.code, built.began.count("whole")) == (0, 1), built.output
        site.is_right()
    finally:
        other.end()


@pytest.mark.parametrize("whole", [False, True], ids=["alone", "with its supervisors and jobs"])
def test_a_worker_killed_in_mid_job_costs_its_jobs_one_more_try(farm: Farm, site: Site, whole: bool) -> None:
    """W3-07."""
    farm.ensure(2)
    with site.witness():
        site.hold(*(f"part{n}" for n in range(8)))
        running = site.start()
        until(lambda: len(site.begun()) == 2 * SLOTS, what="jobs in every slot")
        victim = farm.runner(site.begun()[0], site)
        taken = {job for job in site.begun() if farm.runner(job, site) is victim}

        family = victim.kill(whole=whole)
        until(lambda: not any(map(alive, family)), what="the end of its jobs and supervisors")
        site.let_go()
        built = running.wait()

        assert built.code == 0, built.output
        assert "was lost; what it ran is run again" in built.output
        assert {job for job, times in Counter(built.began).items() if times > 1} == taken
        assert max(Counter(built.began).values()) == 2
        site.is_right()
        site.right(began=0)
    farm.ensure(2)
    rests(farm)


def test_a_killed_job_fails_alone_and_the_next_build_runs_it(farm: Farm, site: Site) -> None:
    site.hold("pair1")
    running = site.start("-k")
    site.await_begun("pair1")

    for shell in site.shells("pair1"):
        shell.kill()
    built = running.wait()

    assert built.code == 1, built.output
    assert "killed by SIGKILL" in built.output
    assert site.revision() == 0
    site.let_go()
    assert set(site.right().began) == {"pair1", "half0", "whole"}


@pytest.mark.slow
def test_a_stopped_job_is_ended_by_its_time_limit(farm: Farm, site: Site) -> None:
    site.rules(pair1_more="timeout = 1.0")
    site.hold("pair1")
    running = site.start("-k")
    site.await_begun("pair1")

    for shell in site.shells("pair1"):
        shell.suspend()
    built = running.wait()

    assert built.code == 1, built.output
    assert "time limit of 1 s" in built.output
    rests(farm)
    site.let_go()
    assert set(site.right().began) == {"pair1", "half0", "whole"}


@pytest.mark.parametrize(
    "place",
    sampled(["worker.fetched", "worker.ran", "worker.uploaded", "worker.stored"], {"worker.ran", "worker.stored"}),
)
def test_a_worker_killed_at_a_failpoint_is_replaced_by_another(farm: Farm, site: Site, place: str) -> None:
    doomed = farm.start(1, failpoint=f"{place}=kill")
    farm.ready(*farm.workers)
    with site.witness():
        # Two of these keep the other worker busy.
        site.hold("part0", "part1", "part2", "part3", "part4", "part5", "part6", "part7")
        running = site.start()
        until(lambda: len(site.begun()) >= 2 and (doomed.over or len(site.begun()) >= 4), what="jobs on both workers")
        site.let_go()
        built = running.wait()

        assert doomed.over
        assert doomed.process.returncode == KILLED
        assert built.code == 0, built.output
        assert max(Counter(built.began).values()) <= 2
        site.is_right()
        site.right(began=0)
    farm.ensure(2)
    rests(farm)


def test_a_late_worker_changes_nothing(farm: Farm, site: Site) -> None:
    """Its job makes other bytes each time, so that it would show whose outcome counted."""
    flavour = site.root / "flavour"
    site.rules(part0=f"{{body}}; cat {flavour} >> out/part0")
    flavour.write_text("late\n")
    farm.ensure(2)
    with site.witness():
        site.hold("part0", "whole")
        running = site.start()
        site.await_begun("part0")
        frozen = farm.runner("part0", site)
        (shell,) = site.shells("part0")
        frozen.freeze()
        # Its job ends after it was frozen; nobody takes note.
        site.let_go("part0")
        until(lambda: not alive(shell) or shell.status() == psutil.STATUS_ZOMBIE, what="its job to end")
        flavour.write_text("prompt\n")
        site.await_begun("part0", times=2)
        site.await_begun("whole")

        frozen.thaw()
        farm.ready(*farm.workers)
        rested = time.monotonic() + 1.5
        until(lambda: time.monotonic() > rested, what="its outcome to come in late")
        site.let_go()
        built = running.wait()

        assert built.code == 0, built.output
        assert (site.tree / "out" / "part0").read_text() == "text 0\nprompt\n"
        assert (site.tree / "out" / "whole").read_text().startswith("text 0\nprompt\ntext 1\n")
        assert site.revision() == 1
        assert site.build().began == ()
        assert site.revision() == 1
    site.left_nothing()


def test_a_worker_frozen_until_the_build_is_over_changes_nothing(farm: Farm, site: Site) -> None:
    farm.ensure(2)
    with site.witness():
        site.hold("part0")
        running = site.start()
        site.await_begun("part0")
        frozen = farm.runner("part0", site)
        frozen.freeze()
        site.await_begun("part0", times=2)
        site.let_go()
        built = running.wait()
        assert built.code == 0, built.output
        manifest = site.manifest()

        frozen.thaw()
        farm.ready(*farm.workers)
        rests(farm)

        assert site.manifest() == manifest
        site.is_right()
        site.right(began=0)


@needs_root
@pytest.mark.slow
def test_a_worker_whose_disk_is_full_says_so_and_harms_nothing(farm: Farm, site: Site) -> None:
    with small_disk(farm.folder / "machine5", 2) as disk, site.witness():
        full = farm.start(5)
        farm.ready(*farm.workers)
        farm.workers[0].kill(whole=True)
        filler = fill(disk)

        built = site.build()

        assert built.code in (1, 36), built.output
        assert "no space left" in built.output.lower()
        assert str(disk) in built.output
        assert site.revision() == 0
        filler.unlink()
        farm.ready(full)
        site.right()
        full.kill(whole=True)
        farm.workers.remove(full)


def test_a_job_whose_supervisor_was_stopped_goes_on_before_long(farm: Farm, site: Site) -> None:
    site.hold("pair1")
    running = site.start()
    site.await_begun("pair1")
    (shell,) = site.shells("pair1")
    supervisor = shell.parent()
    assert supervisor.ppid() == farm.runner("pair1", site).process.pid

    supervisor.suspend()
    site.let_go()
    built = running.wait()

    assert built.code == 0, built.output
    assert Counter(built.began)["pair1"] == 1
    site.is_right()
    rests(farm)
