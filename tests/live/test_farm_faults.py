"""The farm in trouble: workers and brokers are killed and frozen, and every job still ends exactly once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import queue
from shared.errors import BrokerUnavailable, LocalError
from shared.storage.disk import DiskBlobs
from tests.live.farm_rig import HEARTBEAT, PLATFORM, Rig
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.fault, pytest.mark.timeout(60)]


@pytest.fixture(params=[False], ids=["volatile"])
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    farm = Rig(tmp_path, persist=request.param)
    yield farm
    farm.close()


both_brokers = pytest.mark.parametrize("rig", [False, True], ids=["volatile", "persistent"], indirect=True)


def test_a_worker_killed_in_mid_job_costs_its_jobs_one_more_try(rig: Rig) -> None:
    rig.worker(slots=1)
    rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(2)
        for n in range(8):
            build.submit(f"j{n}", "wait", str(rig.folder / "go"))
        victim = build.wait_started("j0")
        # It says that it has begun shortly before it does, and what it begins is counted.
        until(lambda: rig.performed()["j0"] == 1)

        rig.process_of(victim).kill()
        (rig.folder / "go").touch()

        assert build.wait(8) == {f"j{n}": 1 for n in range(8)}
    assert rig.performed()["j0"] == 2
    assert sum(rig.performed().values()) <= 10


def test_a_job_that_kills_its_worker_thrice_fails_and_only_that_one(rig: Rig) -> None:
    for _ in range(4):
        rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(4)
        build.performer.submit([build.order("before"), build.order("poison", "die"), build.order("after")])

        build.wait(3)

        by_job = {o.job: o for o in build.outcomes}
        assert [by_job[job].status for job in ("before", "poison", "after")] == ["executed", "failed", "executed"]
        assert by_job["poison"].message == "the worker died 3 times while running it"
    assert rig.performed()["poison"] == 3


def test_a_job_that_kills_one_worker_succeeds_on_another(rig: Rig) -> None:
    rig.worker(slots=1)
    rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(2)
        build.submit("unlucky", "die", str(rig.folder / "died"))

        assert build.wait(1) == {"unlucky": 1}
        assert build.outcomes[0].status == "executed"


def test_a_job_that_is_ended_together_with_its_worker_is_done_by_another(rig: Rig, tmp_path: Path) -> None:
    rig.worker()
    with rig.build() as build:
        build.submit("a", "ended", str(tmp_path / "now"))
        worker = rig.process_of(build.wait_started("a"))
        worker.send_signal(signal.SIGTERM)
        until(lambda: "stopping: finishing" in rig.logs(), what="the worker to stop")
        rig.worker()
        (tmp_path / "now").touch()
        build.wait(1)

        assert [outcome.status for outcome in build.outcomes] == ["executed"]
    assert rig.performed()["a"] == 2


def test_a_job_that_somebody_ends_on_a_worker_has_failed(rig: Rig, tmp_path: Path) -> None:
    rig.worker()
    with rig.build() as build:
        build.submit("a", "ended", str(tmp_path / "now"))
        build.wait_started("a")
        (tmp_path / "now").touch()
        build.wait(1)

        assert [(outcome.status, outcome.interrupted) for outcome in build.outcomes] == [("failed", False)]


def test_a_frozen_worker_is_replaced_and_what_it_says_when_it_thaws_is_dropped(rig: Rig) -> None:
    rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(1)
        build.submit("unsteady", "wait", str(rig.folder / "go"))
        lost = build.wait_started("unsteady")
        frozen = rig.process_of(lost)
        frozen.send_signal(signal.SIGSTOP)
        rig.worker(slots=1)
        until(lambda: len({s.worker for s in list(build.started)}) == 2, what="another worker to begin it")
        (rig.folder / "go").touch()
        build.wait(1)

        frozen.send_signal(signal.SIGCONT)
        rig.ready(2)
        for n in range(6):
            build.submit(f"after{n}")

        assert build.wait(7)["unsteady"] == 1
        assert len(build.outcomes) == 7
        assert build.warnings == [f"worker {lost} was lost; what it ran is run again"]


def test_a_worker_frozen_for_eight_seconds_works_on_after_it(rig: Rig) -> None:
    worker = rig.worker(slots=2)
    with rig.build(grace=20.0) as build:
        rig.ready(1)
        build.submit("running", "wait", str(rig.folder / "go"))
        build.wait_started("running")
        worker.send_signal(signal.SIGSTOP)
        frozen_at = rig.redis.time()[0]
        until(lambda: rig.redis.time()[0] > frozen_at + 8, what="time to pass")
        build.submit("queued")
        (rig.folder / "go").touch()

        worker.send_signal(signal.SIGCONT)

        assert build.wait(2) == {"running": 1, "queued": 1}


def test_a_message_popped_by_a_worker_that_dies_before_it_begins_is_sent_again(rig: Rig) -> None:
    idle = rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(1)
        idle.send_signal(signal.SIGSTOP)
        build.submit("lost")
        # Its blocked BRPOP takes the message off the list, and nobody is there to read the answer.
        until(lambda: build.performer.slots() == 1 and rig.redis.llen(queue.list_key(PLATFORM)) == 0)
        until(lambda: not rig.beats(), what="the frozen worker to be missed")
        idle.kill()
        idle.wait()
        rig.worker(slots=1)

        assert build.wait(1) == {"lost": 1}
    assert rig.performed() == {"lost": 1}


@both_brokers
def test_a_broker_killed_and_started_again_delays_a_build_and_changes_nothing(rig: Rig) -> None:
    rig.worker()
    rig.worker()
    with rig.build(grace=15.0, patience=20.0) as build:
        rig.ready(2)
        for n in range(40):
            build.submit(f"j{n}", "wait", str(rig.folder / "go"))
        build.wait_started("j0")

        rig.kill_valkey()
        (rig.folder / "go").touch()
        rig.start_valkey()

        assert build.wait(40) == {f"j{n}": 1 for n in range(40)}
        assert {o.status for o in build.outcomes} == {"executed"}
    assert max(rig.performed().values()) <= 2


@both_brokers
def test_what_runs_while_the_broker_is_away_is_reported_when_it_is_back(rig: Rig) -> None:
    rig.worker(slots=1)
    with rig.build(grace=15.0, patience=20.0) as build:
        rig.ready(1)
        build.submit("a", "wait", str(rig.folder / "go"))
        build.wait_started("a")

        rig.kill_valkey()
        (rig.folder / "go").touch()
        until(lambda: "trying again" in rig.logs(), what="the worker to miss the broker")
        rig.start_valkey()

        assert build.wait(1) == {"a": 1}
    assert rig.performed() == {"a": 1}


def test_a_broker_that_stays_away_ends_the_build_in_time(rig: Rig) -> None:
    rig.worker()
    with rig.build(patience=1.0) as build:
        rig.ready(1)
        build.submit("a", "wait")
        build.wait_started("a")

        rig.kill_valkey()
        error = build.wait_error(10)

    assert isinstance(error, BrokerUnavailable)
    assert "has not answered" in error.what


def test_a_broker_that_no_longer_takes_anything_ends_the_build_in_time(rig: Rig) -> None:
    """As one that is full, or whose disk is: it answers those who read, and refuses what is to be written."""
    rig.worker()
    with rig.build(patience=1.0) as build:
        rig.ready(1)
        rig.redis.config_set("min-replicas-to-write", 1)
        build.submit("a")

        error = build.wait_error(10)
        rig.redis.config_set("min-replicas-to-write", 0)

    assert isinstance(error, BrokerUnavailable)
    assert "the broker has refused for" in error.what
    assert "NOREPLICAS" in error.why


def test_a_broker_that_takes_nothing_for_a_moment_is_waited_for(rig: Rig) -> None:
    rig.worker()
    with rig.build(patience=20.0) as build:
        rig.ready(1)
        rig.redis.config_set("min-replicas-to-write", 1)
        build.submit("a")
        until(lambda: not rig.beats(), what="the worker's heartbeat to lapse")
        rig.redis.config_set("min-replicas-to-write", 0)

        assert build.wait(1) == {"a": 1}


def test_orders_that_cannot_be_stored_end_the_build(rig: Rig) -> None:
    store = rig.folder / "no folder"
    store.touch()
    with rig.build(store=DiskBlobs(store)) as build:
        build.performer.submit([build.order("long", env=[("TEXT", "x" * 300_000)])])

        error = build.wait_error(10)

    assert isinstance(error, LocalError)
    assert str(store) in error.what


def test_a_broker_that_never_was_there_ends_the_build_in_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        rig.kill_valkey()
        with rig.build(patience=1.0) as build:
            build.submit("a")

            assert isinstance(build.wait_error(10), BrokerUnavailable)
    finally:
        rig.close()


def test_a_frozen_broker_is_waited_for(rig: Rig) -> None:
    rig.worker()
    with rig.build(grace=15.0, patience=30.0) as build:
        rig.ready(1)
        os.kill(rig.valkey.pid, signal.SIGSTOP)
        for n in range(10):
            build.submit(f"j{n}")
        os.kill(rig.valkey.pid, signal.SIGCONT)

        assert build.wait(10) == {f"j{n}": 1 for n in range(10)}
    assert max(rig.performed().values()) == 1


def test_a_worker_that_starts_before_the_broker_waits_for_it(rig: Rig) -> None:
    rig.kill_valkey()
    rig.worker()
    until(lambda: "waiting for the broker" in rig.logs(), what="the worker to wait")

    rig.start_valkey()

    with rig.build() as build:
        build.submit("a")
        assert build.wait(1) == {"a": 1}


def test_a_worker_can_be_stopped_while_it_waits_for_the_broker(rig: Rig) -> None:
    rig.kill_valkey()
    worker = rig.worker()
    until(lambda: "waiting for the broker" in rig.logs(), what="the worker to wait")

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(5) == 0


def test_jobs_wait_for_a_worker_that_comes_within_the_time_of_grace(rig: Rig) -> None:
    with rig.build(grace=15.0) as build:
        build.submit("early")
        until(lambda: rig.redis.llen(queue.list_key(PLATFORM)) == 1, what="the message")

        rig.worker()

        assert build.wait(1) == {"early": 1}
    assert rig.performed() == {"early": 1}


def test_workers_killed_one_after_another_lose_nothing(rig: Rig) -> None:
    for _ in range(2):
        rig.worker()
    with rig.build() as build:
        rig.ready(2)
        for start in range(0, 300, 5):
            build.performer.submit([build.order(f"j{n}") for n in range(start, start + 5)])
        for _ in range(3):
            rig.worker()
            alive = [w for w in rig.workers if w.poll() is None]
            before = len(build.outcomes)
            alive[0].kill()
            until(lambda before=before: len(build.outcomes) > before or len(build.outcomes) == 300, seconds=15)

        assert build.wait(300) == {f"j{n}": 1 for n in range(300)}


def test_a_worker_whose_heartbeats_stop_is_forgotten(rig: Rig) -> None:
    worker = rig.worker()
    with rig.build():
        rig.ready(1)
    worker.kill()

    until(lambda: not rig.beats(), seconds=6 * HEARTBEAT + 1, what="its heartbeat to lapse")


def test_a_build_that_lost_its_lock_is_ended_by_the_one_that_has_it(rig: Rig) -> None:
    rig.worker(slots=2)
    with rig.build(place="projects/p/main") as first, rig.build() as elsewhere:
        rig.ready(1)
        first.submit("same", "wait", str(rig.folder / "never"))
        elsewhere.submit("other", "wait", str(rig.folder / "go"))
        first.wait_started("same")
        elsewhere.wait_started("other")

        with rig.build(place="projects/p/main") as second:
            second.submit("same")
            second.wait(1)

            assert not [r for beat in rig.beats() for r in beat.running if r.build == first.id]
        (rig.folder / "go").touch()
        assert elsewhere.wait(1) == {"other": 1}
    assert rig.redis.keys("windrow:builds:*") == []


def test_a_build_that_was_given_up_for_dead_and_is_back_gets_its_jobs_done(rig: Rig) -> None:
    """As after a coordinator's machine slept for minutes: workers ended what they ran of it, and it asks them again."""
    rig.worker()
    with rig.build() as build:
        rig.ready(1)
        build.submit("a", "wait", str(rig.folder / "go"))
        build.wait_started("a")
        until(lambda: any(beat.running for beat in rig.beats()), what="the worker to list it")
        rig.redis.set(queue.marker_key(build.id), queue.CANCELLED)
        until(lambda: all(not beat.running for beat in rig.beats()), what="the worker to end it")

        rig.redis.delete(queue.marker_key(build.id))
        (rig.folder / "go").touch()

        assert build.wait(1) == {"a": 1}
        assert build.outcomes[0].status == "executed"


def test_a_build_whose_coordinator_dies_is_dropped_by_the_claim(rig: Rig) -> None:
    with rig.build(grace=15.0) as build:
        build.submit("orphan")
        until(lambda: rig.redis.llen(queue.list_key(PLATFORM)) == 1, what="the message")
    rig.worker()

    until(lambda: rig.redis.llen(queue.list_key(PLATFORM)) == 0, what="the message to be taken")
    with rig.build() as other:
        other.submit("mine")
        other.wait(1)

    assert rig.performed() == {"mine": 1}
