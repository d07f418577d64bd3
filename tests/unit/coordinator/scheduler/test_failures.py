"""Dispatch: what fails, what that skips, what ends a build and what the next one does."""

from __future__ import annotations

import pytest

from coordinator.dispatch.prepare import SourceMoved
from coordinator.dispatch.report import Options
from shared.clock import SystemClock
from shared.errors import StoreUnavailable, TimeLimit
from tests.fakes.performer import ScriptedPerformer, fail
from tests.unit.coordinator.scheduler.bench import Bench, step


def test_a_failure_skips_what_needs_it_and_stops(tmp_path):
    bench = Bench(tmp_path, [step("a", "s"), step("b", "a"), step("c", "b")], {"s": "1"})
    bench.scripts["r:a"] = fail(exit_code=3)

    report = bench.run()

    assert [f.job for f in report.failures] == ["r:a"]
    assert report.failures[0].exit_code == 3
    assert "it broke" in report.failures[0].output
    assert report.failures[0].command.endswith("run a")
    assert report.skipped == ("r:b", "r:c")


def test_keep_going_runs_what_does_not_need_the_failed_job(tmp_path):
    recipes = [step("a", "s"), step("b", "a"), step("x", "s"), step("y", "x")]
    bench = Bench(tmp_path, recipes, {"s": "1"})
    bench.scripts["r:a"] = fail()

    report = bench.run(options=Options(failures=0))

    assert set(report.results) == {"r:x", "r:y"}
    assert report.skipped == ("r:b",)


def test_after_a_failure_the_next_build_runs_only_what_is_missing(tmp_path):
    recipes = [step("a", "s"), step("b", "a"), step("x", "s"), step("y", "x")]
    bench = Bench(tmp_path, recipes, {"s": "1"})
    bench.scripts["r:b"] = fail()
    bench.run(options=Options(failures=0))
    bench.scripts.clear()

    report = bench.run()

    assert bench.performer.performed == ["r:b"]
    assert set(report.how.values()) == {"executed", "local"}


def test_a_job_that_still_fails_fails(tmp_path):
    bench = Bench(tmp_path, [step("out", "in")], {"in": "1", "tools/gen.py": "x"})
    bench.scripts["r:out"] = fail(wanted=("gen.py",))

    report = bench.run()

    assert bench.performer.performed == ["r:out", "r:out"]
    assert len(report.failures) == 1


def test_a_source_edited_after_the_scan_ends_the_pass(chain):
    (chain.root / "in").write_text("edited meanwhile")

    with pytest.raises(SourceMoved):
        chain.run()


def test_an_error_of_the_farm_ends_the_build(chain):
    chain.scripts["r:mid"] = lambda order: StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        chain.run()

    assert chain.performer.cancelled


def test_the_time_limit_ends_the_build(chain):
    chain.performer = ScriptedPerformer(chain.blobs, chain.results)
    chain.performer.hold = {"r:mid"}

    with pytest.raises(TimeLimit):
        chain.run_with(chain.performer, options=Options(deadline=SystemClock().monotonic() + 0.2))

    assert chain.performer.cancelled


def test_require_cached_fails_what_is_not_there(chain):
    report = chain.run(options=Options(require_cached=True))

    assert chain.performer.performed == []
    assert report.failures[0].message == "no cached result, and none may be made"
