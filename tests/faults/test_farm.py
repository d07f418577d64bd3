"""Whole builds on a farm whose workers, broker, store or coordinator are killed, frozen and started again."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.disk import fill, needs_root, small_disk
from tests.faults.farm import SLOTS, Farm, running_farm
from tests.faults.site import JOBS, KILLED, Site, alive
from tests.sweeps import sampled
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.live, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
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


def rests(farm: Farm) -> None:
    """No job runs on the farm, and nothing of one is left."""
    until(farm.at_rest, what="the end of every job on the farm")
    until(lambda: not farm.rubbish(), what=f"the removal of {farm.rubbish()}")


# -- workers ------------------------------------------------------------------------------------------


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


# -- servers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [False, True], ids=["with what it knew", "empty"])
def test_a_broker_killed_and_started_again_delays_a_build(farm: Farm, site: Site, empty: bool) -> None:
    """X-02."""
    with site.witness():
        site.hold("part0", "part1")
        running = site.start()
        site.await_begun("part0")

        farm.kill_broker()
        site.let_go()
        away = time.monotonic() + 2.0
        until(lambda: time.monotonic() > away, what="two seconds")
        farm.start_broker(empty=empty)
        built = running.wait()

        assert built.code == 0, built.output
        assert max(Counter(built.began).values()) <= 2
        site.is_right()
        site.right(began=0)
    rests(farm)


def test_a_broker_that_stays_away_ends_the_build_and_the_next_one_goes_on(farm: Farm, site: Site) -> None:
    site.environ["WINDROW_FARM__BROKER_PATIENCE"] = "2"
    with site.witness():
        site.hold("pair0")
        running = site.start()
        site.await_begun("pair0")
        known = site.results()

        farm.kill_broker()
        built = running.wait()

        assert built.code == 32, built.output
        assert farm.broker.url in built.output
        finished = {job for job in JOBS if job in site.begun()} - {"pair0"}
        site.let_go()
        farm.start_broker()
        farm.ready(*farm.workers)
        rests(farm)
        assert known
        healed = site.right()
        assert not set(healed.began).intersection(finished)
    rests(farm)


def test_a_frozen_broker_is_waited_for(farm: Farm, site: Site) -> None:
    with site.witness():
        site.hold("part0")
        running = site.start()
        site.await_begun("part0")

        psutil.Process(farm.broker.pid).suspend()
        site.let_go()
        away = time.monotonic() + 3.0
        until(lambda: time.monotonic() > away, what="three seconds")
        psutil.Process(farm.broker.pid).resume()
        built = running.wait()

        assert built.code == 0, built.output
        site.is_right()


def test_a_broker_that_stays_frozen_ends_the_build_within_its_patience(farm: Farm, site: Site) -> None:
    site.environ["WINDROW_FARM__BROKER_PATIENCE"] = "2"
    with site.witness():
        site.hold("pair0")
        running = site.start()
        site.await_begun("pair0")

        psutil.Process(farm.broker.pid).suspend()
        frozen = time.monotonic()
        built = running.wait()

        # Two seconds of patience, one for giving back the lock; the rest is for a machine with much else to do.
        assert time.monotonic() - frozen < 10, built.output
        assert built.code == 32, built.output
        assert farm.broker.url in built.output
        psutil.Process(farm.broker.pid).resume()
        site.let_go()
        farm.ready(*farm.workers)
        site.right()
        site.right(began=0)
    rests(farm)


def test_a_frozen_store_is_waited_for(farm: Farm, site: Site) -> None:
    with site.witness():
        site.hold("part0")
        running = site.start()
        site.await_begun("part0")

        psutil.Process(farm.store.pid).suspend()
        site.let_go()
        away = time.monotonic() + 3.0
        until(lambda: time.monotonic() > away, what="three seconds")
        psutil.Process(farm.store.pid).resume()
        built = running.wait()

        assert built.code == 0, built.output
        site.is_right()


def test_a_store_killed_and_started_again_costs_nothing_that_was_finished(farm: Farm, site: Site) -> None:
    """X-03; a slow and a refusing store: test_a_frozen_store…, test_flaky_store.py."""
    with site.witness():
        known = site.results()
        site.hold("pair0", "pair1")
        running = site.start()
        site.await_begun("pair0")

        farm.kill_store()
        site.let_go()
        farm.start_store()
        built = running.wait()

        assert built.code in (0, 32), built.output
        until(farm.at_rest, what="the end of every job on the farm")
        site.heals(
            needed=JOBS if built.code else frozenset(), known=known if built.code else site.results(), exact=False
        )
    rests(farm)


@pytest.mark.parametrize("place", ["commit.before-manifest", "commit.before-pointer"])
def test_a_store_that_dies_before_the_commit_is_named_and_the_next_build_only_commits(
    farm: Farm, site: Site, place: str
) -> None:
    with site.witness():
        running = site.start(WINDROW_FAILPOINT=f"{place}=stop")
        running.await_stopped()

        farm.kill_store()
        running.signal(signal.SIGCONT)
        built = running.wait()

        assert built.code == 32, built.output
        assert farm.store.url in built.output
        farm.start_store()
        assert site.revision() == 0
        assert site.right(began=0).code == 0
        assert site.manifest().base_revision == 0


@pytest.mark.parametrize("place", ["commit.before-manifest", "commit.after-pointer"])
def test_a_broker_that_dies_during_the_commit_leaves_a_whole_revision(farm: Farm, site: Site, place: str) -> None:
    with site.witness():
        running = site.start(WINDROW_FAILPOINT=f"{place}=stop")
        running.await_stopped()

        farm.kill_broker()
        running.signal(signal.SIGCONT)
        built = running.wait()

        assert built.code in (0, 32), built.output
        farm.start_broker(empty=True)
        farm.ready(*farm.workers)
        site.right(began=0)
        assert site.revision() >= 1


# -- the coordinator ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    sampled(
        [
            "materialise.journal-written",
            "materialise.renamed-7",
            "materialise.done",
            "commit.before-manifest",
            "commit.after-manifest",
            "commit.before-pointer",
            "commit.after-pointer",
            "events.archived",
            "events.trimmed",
            "lock.before-release",
        ],
        {"materialise.renamed-7", "commit.after-manifest", "events.archived"},
    ),
)
def test_a_build_killed_at_a_failpoint_is_made_good_by_the_next(farm: Farm, site: Site, place: str) -> None:
    with site.witness():
        assert site.build(failpoint=f"{place}=kill").code == KILLED

        assert site.right().began == ()
        site.right(began=0)
    rests(farm)


def test_a_build_killed_in_mid_job_is_gone_on_with_at_once(farm: Farm, site: Site) -> None:
    """X-04."""
    with site.witness():
        site.hold("pair0")
        running = site.start()
        site.await_begun("pair0")
        until(lambda: len(site.begun()) >= 12, what="all that needs no pair0")
        finished = set(site.begun()) - {"pair0"}

        assert running.kill().code == KILLED
        following = site.start()
        site.await_begun("pair0", times=2)
        site.let_go()
        built = following.wait()

        assert built.code == 0, built.output
        assert not finished.intersection(built.began)
        site.is_right()
        site.right(began=0)
    rests(farm)


def test_what_a_killed_build_has_running_is_ended_before_the_next_runs_it(farm: Farm, site: Site) -> None:
    farm.ensure(2)
    with site.witness():
        site.hold("pair0", "pair1")
        running = site.start()
        site.await_begun("pair0")
        site.await_begun("pair1")
        orphans = [*site.shells("pair0"), *site.shells("pair1")]
        assert orphans

        assert running.kill().code == KILLED
        following = site.start()
        site.await_begun("pair0", times=2)
        beside = [shell.pid for shell in orphans if alive(shell)]
        site.let_go()
        built = following.wait()

        assert built.code == 0, built.output
        assert beside == []
        assert max(Counter(built.began).values()) == 1
        site.is_right()
        site.right(began=0)
    farm.ensure(1)
    rests(farm)


def test_a_build_that_was_asleep_past_its_lease_cannot_commit_any_more(farm: Farm, site: Site) -> None:
    site.environ["WINDROW_BUILD__LEASE"] = "1"
    other = Site(site.root, site.environ, tree=site.root / "other", name=site.name)
    try:
        with site.witness():
            sleeper = site.start(WINDROW_FAILPOINT="commit.before-pointer=stop")
            sleeper.await_stopped()
            other.edit(1)

            overtaking = other.build("--wait", "30")
            assert overtaking.code == 0, overtaking.output
            manifest = other.manifest()
            sleeper.signal(signal.SIGCONT)
            built = sleeper.wait()

            assert built.code in (11, 32), built.output
            assert other.manifest() == manifest
            other.is_right()
            site.right()
    finally:
        other.end()
    rests(farm)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_has_its_jobs_ended_on_the_farm(farm: Farm, site: Site, number: int) -> None:
    with site.witness():
        site.hold("pair0")
        running = site.start()
        site.await_begun("pair0")

        running.signal(number)
        built = running.wait()

        assert built.code == 130, built.output
        assert "Traceback" not in built.output
        rests(farm)
        assert site.project().lock().current() is None
        site.left_nothing()
        finished = site.stored(()) & set(site.begun())
        site.let_go()
        healed = site.right()
        assert "pair0" in healed.began
        assert finished


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


@pytest.mark.slow
def test_jobs_of_a_killed_build_that_nobody_goes_on_with_are_ended_in_time(farm: Farm, site: Site) -> None:
    site.hold("pair0")
    running = site.start()
    site.await_begun("pair0")

    running.kill()

    until(farm.at_rest, seconds=140, what="the end of every job on the farm")
    rests(farm)
    site.let_go()
    site.right()
