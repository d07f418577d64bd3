"""Brokers and stores that are killed, frozen and started again during a build."""

from __future__ import annotations

import signal
import time
from collections import Counter

import psutil
import pytest

from tests.faults.farm import Farm, rests
from tests.faults.site import JOBS, Site
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.live, pytest.mark.timeout(150)]


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
