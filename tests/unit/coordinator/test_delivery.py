"""Delivery: what is sent again, when, and what is given up. The time moves by hand; there is no broker."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.dispatch import delivery as rules
from coordinator.dispatch.delivery import Delivery, Started, Unserved, Worker
from shared.model.action import Action, ActionResult, Output
from shared.model.job import JobOrder, JobOutcome, Status

HEARTBEAT = 1.0
PLATFORM = "linux"


def order(job: str, platform: str = PLATFORM) -> JobOrder:
    return JobOrder("b1", job, 1, Action("command", ("noop",), (), (job,), None, platform, (), ()), 60.0)


def outcome(job: str, attempt: int = 1, status: Status = "executed", content: str = "0") -> JobOutcome:
    result = ActionResult(job, (Output("out", f"sha256:{content * 64}", 0),)) if status == "executed" else None
    return JobOutcome(job, attempt, status, result)


class Farm:
    """A delivery with a clock, a queue length and workers that tests set."""

    def __init__(self, grace: float = 30.0) -> None:
        self.now = 100.0
        self.delivery = Delivery(heartbeat=HEARTBEAT, grace=grace, lost_after=5 * HEARTBEAT)
        self.workers: dict[str, Worker] = {}
        self.queued = 0
        self.sent: list[tuple[int, dict[str, int]]] = []
        self.worker("w1")

    def worker(self, name: str, *running: int, platforms: Sequence[str] = (PLATFORM,)) -> None:
        self.workers[name] = Worker(2, frozenset(platforms), frozenset(running))

    def add(self, *jobs: str) -> int:
        self.delivery.add([order(job) for job in jobs], self.now)
        return self.publish()[-1]

    def end(self, outcome: JobOutcome, batch: int | None = None) -> JobOutcome | None:
        """An outcome of a job's newest batch, or of another."""
        newest = next((id_ for id_, jobs in reversed(self.sent) if outcome.job in jobs), 0)
        return self.delivery.ended(newest if batch is None else batch, outcome, self.now)

    def publish(self) -> list[int]:
        parcels = self.delivery.due(self.now)
        self.delivery.sent([p.batch for p in parcels], self.now)
        self.sent += [(p.batch, {o.job: o.attempt for o in p.orders}) for p in parcels]
        return [p.batch for p in parcels]

    def pass_time(self, seconds: float) -> list[Started | JobOutcome | Unserved]:
        """Time goes by, with looks half a second apart; what they found."""
        found: list[Started | JobOutcome | Unserved] = []
        for _ in range(round(seconds / 0.5)):
            self.now += 0.5
            found += self.delivery.look(self.now, self.workers, {PLATFORM: self.queued})
            self.publish()
        return found


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


def test_a_machine_failure_is_tried_again_later_and_thrice_in_all() -> None:
    farm = Farm()
    farm.add("a")
    farm.worker("w1")

    first = farm.end(outcome("a", 1, "lost"))
    at_once = farm.publish()
    farm.pass_time(0.5)
    second = farm.end(outcome("a", 2, "lost"))
    farm.pass_time(1.5)
    third = farm.end(outcome("a", 3, "lost"))

    assert (first, at_once, second) == (None, [], None)
    assert third is not None
    assert third.status == "failed"


def test_a_failure_reported_for_an_earlier_attempt_does_not_count() -> None:
    farm = Farm()
    farm.delivery.claimed(farm.add("a"), "w1", farm.now)
    farm.workers.clear()
    farm.pass_time(1.5)

    assert farm.end(outcome("a", 1, "failed"), batch=1) is None
    assert farm.end(outcome("a", 2, "failed"), batch=2) == outcome("a", 1, "failed")


def test_a_success_of_an_earlier_attempt_counts() -> None:
    farm = Farm()
    farm.delivery.claimed(farm.add("a"), "w1", farm.now)
    farm.workers.clear()
    farm.pass_time(1.5)

    assert farm.end(outcome("a", 1), batch=1) == outcome("a", 1)


def test_the_outcome_reported_bears_the_attempt_that_was_handed_over() -> None:
    farm = Farm()
    farm.delivery.claimed(farm.add("a"), "w1", farm.now)
    farm.workers.clear()
    farm.pass_time(1.5)

    assert farm.end(outcome("a", 2)) == outcome("a", 1)


def test_a_job_handed_over_anew_takes_no_outcome_of_before() -> None:
    farm = Farm()
    farm.add("a")
    farm.end(outcome("a", 1, "missing"))
    farm.add("a")

    before, after = farm.end(outcome("a", content="1"), batch=1), farm.end(outcome("a"), batch=2)

    assert (before, after) == (None, outcome("a"))


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


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), jobs=st.integers(1, 30))
def test_every_job_ends_exactly_once_whatever_the_farm_does(seed: int, jobs: int) -> None:
    """A farm that loses messages and workers at random; at most two deaths are anyone's, so nothing is given up."""
    dice = random.Random(seed)
    farm = Farm()
    farm.delivery.add([order(f"j{i}") for i in range(jobs)], farm.now)
    ended: list[str] = []
    messages: list[tuple[int, dict[str, int]]] = []
    claims: set[int] = set()
    held: dict[str, tuple[int, dict[str, int]]] = {}
    deaths = 0

    for step in range(4000):
        if len(farm.delivery) == 0:
            break
        farm.publish()
        messages += [m for m in farm.sent if dice.random() > 0.1]
        farm.sent.clear()
        name = f"w{dice.randrange(3)}-{deaths}"
        if messages and name not in held and dice.random() < 0.5:
            batch, names = messages.pop(0)
            if batch not in claims and dice.random() > 0.1:
                claims.add(batch)
                held[name] = (batch, names)
                farm.delivery.claimed(batch, name, farm.now)
        for name, (batch, names) in list(held.items()):
            fate = dice.random()
            if fate < 0.05 and deaths < rules.MAX_LOST - 1:
                deaths += 1
                del held[name]
            elif fate < 0.1:
                farm.delivery.returned(batch, names, farm.now)
                del held[name]
            elif fate < 0.5:
                for job, attempt in names.items():
                    for _ in range(dice.choice([1, 1, 2])):
                        if farm.end(outcome(job, attempt), batch) is not None:
                            ended.append(job)
                del held[name]
        farm.workers = {name: Worker(1, frozenset({PLATFORM}), frozenset({b})) for name, (b, _) in held.items()}
        farm.worker("idle")
        farm.now += 0.5
        found = farm.delivery.look(farm.now, farm.workers, {PLATFORM: len(messages)})
        assert not [f for f in found if isinstance(f, JobOutcome | Unserved)], step

    assert sorted(ended) == sorted(f"j{i}" for i in range(jobs))
