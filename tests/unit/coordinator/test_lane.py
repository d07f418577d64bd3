"""Lanes: which performer has a job, and how many of a pool are out at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from coordinator.dispatch.batches import PreparedJobs, planned_run
from coordinator.dispatch.lane import Lane, Lanes
from coordinator.dispatch.performer import Report
from coordinator.dispatch.permits import Unbounded
from coordinator.dispatch.states import JobRun, State
from shared.model.action import Action
from shared.model.graph import Recipe
from shared.model.job import JobOrder
from shared.model.plan import AlwaysRuns, NeverBuilt, PlannedJob


class Taking:
    """A performer that only takes."""

    def __init__(self, slots: int = 2) -> None:
        self.taken: list[str] = []
        self.opened = self.cancelled = self.closed = 0
        self.told: list[bool] = []
        self._slots = slots

    def open(self, deliver: Callable[[Report], None]) -> None:
        self.opened += 1

    def slots(self) -> int:
        return self._slots

    def room(self) -> int:
        return 2 * self._slots

    def submit(self, orders: Sequence[JobOrder]) -> None:
        self.taken += [order.job for order in orders]

    def after_failure(self, *, stop: bool) -> None:
        self.told.append(stop)

    def cancel(self) -> None:
        self.cancelled += 1

    def close(self) -> None:
        self.closed += 1


def run_of(
    name: str, *, priority: float = 0.0, pool: str = "", here: bool = False, tiny: bool = False, expected: float = 1.0
) -> JobRun:
    action = Action("command", ("x",), (), (name,), None, "linux", (), ())
    order = JobOrder("b", name, 1, action, 10.0)
    return JobRun(
        name, 0, priority, expected, set(), tiny=tiny, pool=pool, here=here, state=State.PREPARED, order=order
    )


def lane_of(performer: Taking, pools: Mapping[str, int] | None = None) -> Lane:
    return Lane(lambda: performer, lambda _report: None, pools or {})


def submitted(run: JobRun) -> None:
    run.move(State.SUBMITTED)


def test_a_performer_is_made_for_the_first_job_and_no_sooner() -> None:
    made: list[Taking] = []
    lane = Lane(lambda: made.append(Taking()) or made[-1], lambda _report: None, {})

    lane.hand_over(submitted)
    lane.cancel()
    lane.close()

    assert made == []
    assert lane.slots() == 2

    lane.add(run_of("a"))
    lane.hand_over(submitted)

    assert (len(made), made[0].opened, made[0].taken) == (1, 1, ["a"])


def test_the_longest_chain_goes_first_and_little_is_hoarded() -> None:
    performer = Taking(slots=1)
    lane = lane_of(performer)
    for number in range(5):
        lane.add(run_of(f"j{number}", priority=number))

    lane.hand_over(submitted)

    assert performer.taken == ["j4", "j3"]
    assert len(lane) == 3


def test_of_a_pool_no_more_than_its_depth_are_out() -> None:
    performer = Taking(slots=8)
    lane = lane_of(performer, {"few": 2})
    runs = [run_of(f"p{number}", priority=9 - number, pool="few") for number in range(4)]
    for run in (*runs, run_of("free"), run_of("odd", pool="no such pool")):
        lane.add(run)

    lane.hand_over(submitted)
    first = list(performer.taken)
    lane.ended(runs[0])
    lane.hand_over(submitted)

    assert first == ["p0", "p1", "free", "odd"]
    assert performer.taken[4:] == ["p2"]
    assert len(lane) == 1


def test_a_job_that_no_longer_waits_is_not_handed_over() -> None:
    performer = Taking()
    lane = lane_of(performer, {"few": 1})
    first, gone, last = (run_of(name, priority=3 - number, pool="few") for number, name in enumerate("abc"))
    for run in (first, gone, last):
        lane.add(run)
    lane.hand_over(submitted)

    gone.move(State.SKIPPED)
    lane.ended(first)
    lane.hand_over(submitted)

    assert performer.taken == ["a", "c"]
    assert len(lane) == 0


def test_a_small_job_that_was_prepared_anew_while_it_waited_is_handed_over_once() -> None:
    performer = Taking(slots=1)
    lane = lane_of(performer)
    run, *others = (run_of(name, priority=-ord(name), tiny=True, expected=0.01) for name in "abcd")
    for one in (run, *others):
        lane.add(one)
    # What it reads came out otherwise: it is looked at again, and its order is written anew.
    for state in (State.WAITING, State.READY, State.PREPARING, State.PREPARED):
        run.move(state)
    lane.add(run)

    lane.hand_over(submitted)

    assert performer.taken == ["a", "b", "c", "d"]
    assert len(lane) == 0


def test_a_permit_is_taken_for_what_is_handed_over_and_for_nothing_else() -> None:
    asked: list[str] = []

    class Permits(Unbounded):
        def take(self, pool: str, job: str) -> bool:
            asked.append(job)
            return True

    performer = Taking(slots=1)
    lane = Lane(lambda: performer, lambda _report: None, {"voice": 9}, Permits())
    for run in (run_of("small", priority=2, tiny=True, expected=0.01), run_of("line", priority=1, pool="voice")):
        lane.add(run)
    lane.add(run_of("other", priority=3))

    lane.hand_over(submitted)

    assert (performer.taken, asked) == (["other", "small"], [])


@given(st.lists(st.tuples(st.sampled_from(["", "one", "two"]), st.booleans()), max_size=30), st.integers(1, 4))
def test_every_job_is_handed_over_once_and_pools_are_never_exceeded(jobs: list[tuple[str, bool]], slots: int) -> None:
    pools = {"one": 1, "two": 2}
    prepared = PreparedJobs(pools)
    for number, (pool, tiny) in enumerate(jobs):
        prepared.add(run_of(str(number), pool=pool, tiny=tiny, expected=0.01 if tiny else 1.0))
    out: list[JobRun] = []
    ended: list[str] = []

    while len(ended) < len(jobs):
        for batch in prepared.batches(2 * slots):
            for run in batch:
                run.move(State.SUBMITTED)
                out.append(run)
        assert out, "jobs wait, and none is out"
        assert all(sum(run.pool == pool for run in out) <= depth for pool, depth in pools.items())
        done = out.pop(0)
        prepared.ended(done)
        ended.append(done.id)

    assert sorted(ended) == sorted(str(number) for number in range(len(jobs)))


def test_what_must_run_here_goes_to_another_performer() -> None:
    far, near = Taking(), Taking()
    lanes = Lanes(lambda: far, lambda: near, lambda _report: None, {})
    runs = [run_of("a"), run_of("b", here=True)]
    for run in runs:
        lanes.of(run).add(run)
    waiting = len(lanes)

    lanes.hand_over(submitted)
    lanes.after_failure(runs[1], stop=False)
    lanes.after_failure(runs[1], stop=True)
    lanes.cancel()
    lanes.close()

    assert (far.told, near.told) == ([True], [False, True])
    assert (waiting, len(lanes), lanes.slots()) == (2, 0, 4)
    assert (far.taken, near.taken) == (["a"], ["b"])
    assert [(one.cancelled, one.closed) for one in (far, near)] == [(1, 1), (1, 1)]


def _lanes(at_once: int, slots: int = 2) -> tuple[Taking, Taking, Lanes]:
    far, near = Taking(slots), Taking(1)
    lanes = Lanes(lambda: far, lambda: near, lambda _report: None, {}, at_once=at_once)
    for run in (*(run_of(f"far{number}") for number in range(5)), run_of("near", here=True)):
        lanes.of(run).add(run)
    return far, near, lanes


def test_no_more_jobs_are_out_than_may_run_here_and_there_together() -> None:
    far, near, lanes = _lanes(at_once=2)
    runs: dict[str, JobRun] = {}

    def hand_over() -> None:
        lanes.hand_over(lambda run: (submitted(run), runs.update({run.id: run})) and None)

    hand_over()
    assert (near.taken, far.taken) == (["near"], ["far0"])
    hand_over()
    assert far.taken == ["far0"]
    lanes.of(runs["near"]).ended(runs["near"])
    hand_over()
    assert far.taken == ["far0", "far1"]
    lanes.of(runs["far0"]).ended(runs["far0"])
    hand_over()
    assert (near.taken, far.taken) == (["near"], ["far0", "far1", "far2"])


def test_where_there_are_no_more_slots_than_may_run_some_wait_at_the_workers() -> None:
    far, near, lanes = _lanes(at_once=3)

    lanes.hand_over(submitted)
    lanes.hand_over(submitted)

    assert (near.taken, len(far.taken)) == (["near"], 4)


def test_small_jobs_that_travel_together_count_one_by_one() -> None:
    far = Taking(8)
    lanes = Lanes(lambda: far, lambda: Taking(1), lambda _report: None, {}, at_once=3)
    for number in range(40):
        lanes.of(run := run_of(str(number), tiny=True, expected=0.001)).add(run)

    lanes.hand_over(submitted)

    assert len(far.taken) == 3


def test_without_a_farm_there_is_one_lane() -> None:
    only = Taking()
    lanes = Lanes(lambda: only, None, lambda _report: None, {"few": 1})
    for run in (run_of("a", pool="few"), run_of("b", pool="few", here=True)):
        lanes.of(run).add(run)

    lanes.hand_over(submitted)

    # The pool is one, too.
    assert only.taken == ["a"]
    assert not (lanes.slots() > 2 or len(lanes) != 1)


def test_a_job_of_the_plan_is_told_by_its_recipe_and_its_reasons() -> None:
    recipe = Recipe("r:x", "r", ("x",), ("x",), pool="few", place="here")
    quick = PlannedJob("r:x", "r", 3, (NeverBuilt(),), 0.01)

    pooled = planned_run(quick, recipe, 7.0, {"r:y"})
    free = planned_run(quick, Recipe("r:x", "r", ("x",), ("x",)), 7.0, set())
    always = planned_run(PlannedJob("r:x", "r", 0, (AlwaysRuns(),)), recipe, 0.0, set())

    assert (pooled.layer, pooled.priority, pooled.expected, pooled.waiting) == (3, 7.0, 0.01, {"r:y"})
    assert (pooled.pool, pooled.here, pooled.tiny, pooled.sure) == ("few", True, False, False)
    assert (free.here, free.tiny) == (False, True)
    assert always.sure
