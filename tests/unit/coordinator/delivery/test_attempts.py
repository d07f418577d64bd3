"""Delivery: which attempt of a job counts, and that each job ends exactly once."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.dispatch import delivery as rules
from coordinator.dispatch.delivery import Unserved, Worker
from shared.model.job import JobOutcome
from tests.unit.coordinator.delivery.farm import PLATFORM, Farm, order, outcome


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
