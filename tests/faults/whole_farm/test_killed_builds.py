"""Builds that are killed, interrupted or asleep on a farm, and the next one."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.faults.farm import Farm, rests
from tests.faults.running import KILLED, alive
from tests.faults.site import Site
from tests.sweeps import sampled
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.live, pytest.mark.timeout(150)]


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
