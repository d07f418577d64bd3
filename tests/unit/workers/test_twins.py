"""Twins: a job that is sent again while it runs takes the outcome of that run, if it is one for any try."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from shared.model.action import Action
from shared.model.job import JobOrder, JobOutcome, Status
from workers.twins import Twins

ORDER = JobOrder("build", "job", 1, Action("command", ("x",), (), ("o",), None, "p", (), ()), 60.0)
AGAIN = msgspec.structs.replace(ORDER, attempt=2, looked=7.0, carried={"hash": b"bytes"})


def test_another_try_takes_the_outcome_of_the_run_that_is_under_way() -> None:
    twins = Twins()
    with ThreadPoolExecutor(1) as pool, twins.running(ORDER) as run:
        twin = twins.of(AGAIN)
        assert twin is run
        waiting = pool.submit(twin.wait_for, AGAIN)
        assert not waiting.done()
        run.outcome = JobOutcome("job", 1, "executed", seconds=3.0)
        run.end()
        assert waiting.result(10) == JobOutcome("job", 2, "executed", seconds=3.0)


def test_nothing_is_under_way_once_the_run_is_over() -> None:
    twins = Twins()
    with twins.running(ORDER):
        pass

    assert twins.of(AGAIN) is None


@pytest.mark.parametrize("status", ["failed", "missing", "lost", None])
def test_what_went_wrong_with_one_try_says_nothing_of_another(status: Status | None) -> None:
    twins = Twins()
    with twins.running(ORDER) as run:
        run.outcome = JobOutcome("job", 1, status) if status else None

    assert run.wait_for(AGAIN) is None


@pytest.mark.parametrize(
    "changed",
    [{"build": "other"}, {"job": "other"}, {"again": True}, {"action": msgspec.structs.replace(ORDER.action, argv=("y",))}],
    ids=["build", "job", "again", "action"],
)
def test_a_run_of_anything_else_is_no_twin(changed: dict[str, object]) -> None:
    twins = Twins()
    with twins.running(ORDER):
        assert twins.of(msgspec.structs.replace(AGAIN, **changed)) is None
