"""Delivery: what is sent, in which batches, what comes back unbegun, and when nothing more is sent."""

from __future__ import annotations

import pytest

from coordinator.dispatch.delivery import Started, Unserved
from shared.model.job import JobOutcome
from tests.unit.coordinator.delivery.farm import PLATFORM, Farm, order, outcome


def test_orders_are_sent_once_as_one_batch() -> None:
    farm = Farm()

    farm.add("a", "b")
    farm.queued = 1
    farm.pass_time(20)

    assert farm.sent == [(1, {"a": 1, "b": 1})]


def test_orders_of_two_platforms_travel_apart() -> None:
    farm = Farm()

    farm.delivery.add([order("a"), order("b", "arm"), order("c")], farm.now)
    farm.publish()

    assert [sorted(jobs) for _, jobs in farm.sent] == [["a", "c"], ["b"]]


def test_a_batch_that_could_not_be_published_stays_due() -> None:
    farm = Farm()

    farm.delivery.add([order("a")], farm.now)

    assert farm.delivery.due(farm.now) == farm.delivery.due(farm.now)
    assert farm.delivery.next_due() == farm.now


def test_the_first_outcome_counts_and_a_later_one_is_dropped() -> None:
    farm = Farm()
    farm.add("a")

    first = farm.end(outcome("a"))
    second = farm.end(outcome("a", attempt=2))

    assert (first, second) == (outcome("a"), None)
    assert len(farm.delivery) == 0
    assert farm.delivery.warnings == []


def test_a_later_outcome_with_other_bytes_is_a_warning() -> None:
    farm = Farm()
    farm.add("a")

    farm.end(outcome("a"))
    farm.end(outcome("a", attempt=2, content="1"))

    assert ["a was run twice" in w and "out" in w for w in farm.delivery.warnings] == [True]


def test_a_claim_is_told_for_each_job_and_once() -> None:
    farm = Farm()
    batch = farm.add("a", "b")

    told = farm.delivery.claimed(batch, "w1", farm.now)

    assert told == [Started("a", "w1"), Started("b", "w1")]
    assert farm.delivery.claimed(batch, "w1", farm.now) == []


def test_returned_jobs_go_out_again_in_smaller_batches() -> None:
    farm = Farm()
    names = [f"j{i}" for i in range(20)]
    batch = farm.add(*names)
    farm.delivery.claimed(batch, "w1", farm.now)
    farm.end(outcome("j0"))

    farm.delivery.returned(batch, names[1:], farm.now)
    farm.publish()

    assert [len(jobs) for _, jobs in farm.sent[1:]] == [8, 8, 3]
    assert {attempt for _, jobs in farm.sent[1:] for attempt in jobs.values()} == {2}


def test_what_comes_back_for_a_batch_that_is_over_changes_nothing() -> None:
    farm = Farm()
    batch = farm.add("a")
    farm.end(outcome("a"))

    farm.delivery.returned(batch, ["a"], farm.now)
    farm.delivery.refused(batch, "unreadable", farm.now)

    assert farm.publish() == []


def test_a_batch_no_worker_can_read_is_given_up_after_three() -> None:
    farm = Farm()
    farm.add("a")
    found: list[JobOutcome] = []

    for _ in range(3):
        found += farm.delivery.refused(farm.sent[-1][0], "unreadable", farm.now)
        farm.publish()

    assert [o.message for o in found] == ["given up after 3 tries: unreadable"]


def test_a_platform_without_a_worker_is_told_after_the_time_of_grace() -> None:
    farm = Farm(grace=10)
    farm.worker("w1", platforms=("other",))
    farm.add("a")
    farm.queued = 1

    early, late = farm.pass_time(9.5), farm.pass_time(1)

    assert (early, late[:1]) == ([], [Unserved(PLATFORM)])


def test_a_platform_nobody_needs_any_more_is_not_missed() -> None:
    farm = Farm(grace=10)
    farm.add("a")
    farm.end(outcome("a"))
    farm.workers.clear()

    assert farm.pass_time(100) == []


def test_after_forget_nothing_is_sent_and_nothing_counts() -> None:
    farm = Farm()
    farm.delivery.claimed(farm.add("a"), "w1", farm.now)

    farm.delivery.forget()

    assert farm.end(outcome("a")) is None
    farm.workers.clear()
    assert farm.pass_time(10) == []


def test_once_stopped_what_was_not_begun_ends_as_dropped_and_nothing_is_sent() -> None:
    farm = Farm()
    running, sent = farm.add("a"), farm.add("b")
    farm.delivery.claimed(running, "w1", farm.now)
    farm.worker("w1", running)
    farm.delivery.add([order("c")], farm.now)

    never_sent = farm.delivery.stop()
    taken_back = farm.delivery.revoked(farm.delivery.unclaimed())

    assert [(out.job, out.status) for out in (*never_sent, *taken_back)] == [("c", "dropped"), ("b", "dropped")]
    assert farm.publish() == [] and farm.delivery.next_due() is None  # noqa: PT018
    assert farm.delivery.unclaimed() == []
    done = farm.end(outcome("a"), running)
    assert done is not None and done.status == "executed" and sent  # noqa: PT018


def test_once_stopped_what_comes_back_is_not_sent_again() -> None:
    farm = Farm()
    batch = farm.add("a", "b")
    farm.delivery.claimed(batch, "w1", farm.now)
    farm.delivery.stop()

    farm.delivery.returned(batch, ["b"], farm.now)

    assert [(out.job, out.status, out.attempt) for out in farm.delivery.stop()] == [("b", "dropped", 1)]
    assert farm.publish() == []


def test_a_job_is_refused_while_it_is_under_way() -> None:
    farm = Farm()
    farm.add("a")

    with pytest.raises(ValueError, match="under way"):
        farm.delivery.add([order("a")], farm.now)
