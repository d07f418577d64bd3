"""InlinePerformer: what begins after a failure, and what does not."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from coordinator.dispatch.inline import InlinePerformer
from coordinator.dispatch.performer import JobStarted, Report
from shared.errors import WindrowError
from shared.model.action import Action
from shared.model.job import JobOrder, JobOutcome, Status
from tests.waiting import until


class Bench:
    """A performer of two slots; the jobs `bad` and `long` wait until they are told to go on."""

    def __init__(self, free: Callable[[], bool] | None = None) -> None:
        self.reports: list[Report] = []
        self.go = {"bad": threading.Event(), "long": threading.Event()}
        self.performer = InlinePerformer(self.perform, lambda: None, 2, free=free)
        self.performer.open(self.reports.append)

    def perform(self, order: JobOrder) -> JobOutcome:
        if order.job in self.go:
            assert self.go[order.job].wait(10)
        return JobOutcome(order.job, 1, "failed" if order.job == "bad" else "executed")

    def submit(self, *jobs: str) -> None:
        for job in jobs:
            self.performer.submit([JobOrder("b", job, 1, Action("command", ("x",), (), (job,), None, "", (), ()), 9.0)])

    def started(self) -> list[str]:
        return [report.job for report in self.reports if isinstance(report, JobStarted)]

    def outcomes(self) -> dict[str, Status]:
        return {report.job: report.status for report in self.reports if isinstance(report, JobOutcome)}


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.submit("bad", "long", "a", "b")
    until(lambda: len(bench.started()) == 2)
    bench.go["bad"].set()
    until(lambda: "bad" in bench.outcomes())
    return bench


def test_nothing_begins_between_a_failure_and_the_word_on_it(bench: Bench) -> None:
    bench.go["long"].set()
    until(lambda: "long" in bench.outcomes())

    assert sorted(bench.started()) == ["bad", "long"]

    bench.performer.after_failure(stop=False)
    bench.performer.close()
    assert bench.outcomes() == {"bad": "failed", "long": "executed", "a": "executed", "b": "executed"}


def test_once_stopped_what_runs_ends_and_what_only_waits_never_begins(bench: Bench) -> None:
    bench.performer.after_failure(stop=True)
    until(lambda: len(bench.outcomes()) == 3)
    bench.submit("c")
    until(lambda: "c" in bench.outcomes())
    bench.go["long"].set()
    bench.performer.close()

    assert bench.outcomes() == {"bad": "failed", "long": "executed", "a": "dropped", "b": "dropped", "c": "dropped"}
    assert sorted(bench.started()) == ["bad", "long"]


def test_a_cancel_ends_the_waiting_for_that_word(bench: Bench) -> None:
    bench.go["long"].set()

    bench.performer.cancel()
    bench.performer.close()

    assert sorted(bench.started()) == ["bad", "long"]


def test_on_a_busy_machine_one_job_runs_at_a_time() -> None:
    busy, asked = [True], list[bool]()

    def free() -> bool:
        asked.append(not busy[0])
        return not busy[0]

    bench = Bench(free)
    bench.submit("long")
    until(lambda: bench.started() == ["long"])
    bench.submit("a")
    until(lambda: len(asked) > 1)
    assert bench.started() == ["long"]

    busy[0] = False
    until(lambda: "a" in bench.outcomes())
    bench.go["long"].set()
    bench.performer.close()
    assert bench.outcomes() == {"long": "executed", "a": "executed"}


def test_a_machine_that_does_not_tell_its_load_ends_the_build_and_does_not_hang_it() -> None:
    def free() -> bool:
        raise OSError("Load averages are unobtainable")

    bench = Bench(free)
    bench.submit("long", "a")

    errors = until(lambda: [report for report in bench.reports if isinstance(report, WindrowError)])
    bench.go["long"].set()
    bench.performer.close()

    assert "Load averages are unobtainable" in errors[0].what
