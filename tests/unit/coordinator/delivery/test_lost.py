"""Delivery: workers, messages and claims that are lost, and what goes out again because of it."""

from __future__ import annotations

from coordinator.dispatch.delivery import Started, Unserved
from shared.model.job import JobOutcome
from tests.unit.coordinator.delivery.farm import Farm, outcome


def test_a_job_whose_worker_is_gone_goes_out_again_as_the_next_attempt() -> None:
    farm = Farm()
    batch = farm.add("a")
    farm.delivery.claimed(batch, "w1", farm.now)
    farm.workers.clear()

    farm.pass_time(1.5)

    assert farm.sent[-1] == (2, {"a": 2})


def test_jobs_of_a_dead_workers_batch_go_out_one_by_one_without_those_that_ended() -> None:
    farm = Farm()
    batch = farm.add("a", "b", "c")
    farm.delivery.claimed(batch, "w1", farm.now)
    farm.end(outcome("a"))
    farm.workers.clear()

    farm.pass_time(1.5)

    assert [jobs for _, jobs in farm.sent[1:]] == [{"b": 2}, {"c": 2}]


def test_a_running_job_is_left_alone_however_long_it_takes() -> None:
    farm = Farm()
    batch = farm.add("a")
    farm.delivery.claimed(batch, "w1", farm.now)
    farm.worker("w1", batch)

    farm.pass_time(300)

    assert len(farm.sent) == 1


def test_a_claimed_job_its_live_worker_does_not_list_goes_out_again_and_is_no_death() -> None:
    farm = Farm()
    batch = farm.add("a")
    farm.delivery.claimed(batch, "w1", farm.now)

    for _ in range(5):
        found = farm.pass_time(4)
        farm.delivery.claimed(farm.sent[-1][0], "w1", farm.now)

    assert found == []
    assert farm.sent[-1][1]["a"] > 3


def test_a_job_just_claimed_has_time_to_be_listed() -> None:
    farm = Farm()
    farm.delivery.claimed(farm.add("a"), "w1", farm.now)

    farm.pass_time(2)

    assert len(farm.sent) == 1


def test_a_message_in_no_queue_and_with_no_worker_is_sent_again_as_it_was() -> None:
    farm = Farm()
    batch = farm.add("a")

    farm.pass_time(3)

    assert farm.sent == [(batch, {"a": 1}), (batch, {"a": 1})]


def test_a_message_that_waits_in_its_queue_is_not_sent_again() -> None:
    farm = Farm()
    farm.add("a")
    farm.queued = 1

    farm.pass_time(20)

    assert len(farm.sent) == 1


def test_a_message_overtaken_by_a_later_one_is_sent_again() -> None:
    farm = Farm()
    first = farm.add("a")
    second = farm.add("b")
    farm.queued = 3
    farm.worker("w1", second)
    farm.delivery.claimed(second, "w1", farm.now)

    farm.pass_time(7)

    assert farm.sent[2:] == [(first, {"a": 1})]


def test_a_message_that_no_worker_ever_takes_is_given_up() -> None:
    farm = Farm()
    farm.add("a")

    found = farm.pass_time(1000)

    (given_up,) = found
    assert isinstance(given_up, JobOutcome)
    assert given_up.status == "failed"
    assert "no worker took it" in given_up.message


def test_three_dead_workers_on_one_job_fail_it() -> None:
    farm = Farm()
    farm.add("poison")
    found: list[Started | JobOutcome | Unserved] = []

    for name in ("w1", "w2", "w3"):
        farm.worker(name)
        farm.delivery.claimed(farm.sent[-1][0], name, farm.now)
        del farm.workers[name]
        found += farm.pass_time(1.5)

    (given_up,) = found
    assert isinstance(given_up, JobOutcome)
    assert (given_up.status, given_up.message) == ("failed", "the worker died 3 times while running it")
    assert len(farm.delivery) == 0
    # A build that took longer says why.
    assert farm.delivery.warnings == [f"worker {n} was lost; what it ran is run again" for n in ("w1", "w2", "w3")]


def test_after_an_outage_workers_have_time_to_come_back() -> None:
    farm = Farm()
    farm.delivery.claimed(farm.add("a"), "w1", farm.now)
    farm.workers.clear()

    farm.delivery.interrupted(farm.now)
    during = farm.pass_time(4.5)
    farm.worker("w1", 1)
    farm.pass_time(20)

    assert (during, len(farm.sent)) == ([], 1)


def test_after_a_wipe_what_no_worker_has_goes_out_again() -> None:
    farm = Farm()
    running, queued = farm.add("a"), farm.add("b")
    farm.delivery.claimed(running, "w1", farm.now)
    farm.worker("w1", running)

    farm.delivery.interrupted(farm.now)
    farm.pass_time(6)

    assert farm.sent[2:] == [(queued, {"b": 1})]


def test_a_batch_whose_claim_was_wiped_is_known_from_its_workers_heartbeat() -> None:
    farm = Farm()
    batch = farm.add("a")
    farm.worker("w1", batch)

    found = farm.pass_time(10)

    assert found == [Started("a", "w1")]
    assert len(farm.sent) == 1


def test_a_coordinator_that_slept_judges_nobody_at_once() -> None:
    farm = Farm(grace=10)
    farm.delivery.claimed(farm.add("a"), "w1", farm.now)
    farm.worker("w1", 1)
    farm.pass_time(1)
    farm.workers.clear()
    farm.now += 3600

    found = farm.pass_time(2)

    assert (found, len(farm.sent)) == ([], 1)


def test_a_platform_that_nobody_needed_for_long_has_the_whole_time_of_grace_again() -> None:
    farm = Farm(grace=30.0)
    farm.add("a")
    farm.pass_time(1)
    farm.end(outcome("a"))
    farm.workers.clear()
    farm.pass_time(60)

    farm.add("b")
    early = farm.pass_time(30)

    assert early == []
    assert farm.pass_time(1)[0] == Unserved("linux")


def test_a_message_that_was_overtaken_is_sent_less_and_less_often() -> None:
    farm = Farm()
    first = farm.add("a")
    second = farm.add("b")
    farm.queued = 3
    farm.worker("w1", second)
    farm.delivery.claimed(second, "w1", farm.now)

    farm.pass_time(600)

    assert {id_ for id_, _ in farm.sent[2:]} == {first}
    assert 5 < len(farm.sent[2:]) < 9
