"""Dispatch: jobs are released when their needs are there, and reused where a result stands for them."""

from __future__ import annotations

from shared.storage.memory import MemoryRefs
from shared.storage.stored_results import StoredResults
from tests.unit.coordinator.scheduler.bench import Bench, step


def test_jobs_run_in_the_order_of_their_needs(chain):
    report = chain.run()

    assert chain.performer.performed == ["r:mid", "r:final"]
    assert report.how == {"r:mid": "executed", "r:final": "executed"}
    assert chain.performer.closed


class AskedResults(StoredResults):
    """Counts how often it is asked for traces."""

    asked = 0

    def traces(self, key):
        self.asked += 1
        return super().traces(key)


def test_traces_are_not_asked_for_of_a_job_that_needed_none(chain):
    chain.results = AskedResults(MemoryRefs(), chain.blobs, source="local")
    chain.run()
    at_first = chain.results.asked
    chain.write("in", "2")

    report = chain.run()

    assert report.how == {"r:mid": "executed", "r:final": "executed"}
    assert (at_first, chain.results.asked) == (2, 2)


def test_a_second_tree_takes_everything_from_the_cache(chain):
    chain.run(commit=False)

    report = chain.run(commit=False)

    assert chain.performer.performed == []
    assert report.how == {"r:mid": "local", "r:final": "local"}
    assert report.saved_seconds == 2.0


def test_an_equal_intermediate_cuts_the_build_off(chain):
    chain.scripts["r:mid"] = lambda order: chain.performer.succeed(order, text="same")
    chain.run()
    chain.write("in", "2")

    report = chain.run()

    assert chain.performer.performed == ["r:mid"]
    assert report.how == {"r:mid": "executed", "r:final": "cut_off"}


def test_a_job_that_was_cut_off_is_known_to_take_as_long_as_before(chain):
    chain.scripts["r:mid"] = lambda order: chain.performer.succeed(order, text="same")
    chain.run()
    took = chain.manifest.jobs["r:final"].seconds
    chain.write("in", "2")

    report = chain.run()

    assert report.how["r:final"] == "cut_off"
    assert chain.manifest.jobs["r:final"].seconds == took > 0
    assert report.saved_seconds == took


def test_no_cache_executes_everything(chain):
    chain.run()

    report = chain.run(use_cache=False, full=True)

    assert set(report.how.values()) == {"executed"}


def test_headers_found_by_a_run_narrow_the_next_key(tmp_path):
    headers = ("a.h", "b.h")
    bench = Bench(tmp_path, [step("o", "m.c", candidates=headers)], {"m.c": "1", "a.h": "", "b.h": ""})
    bench.scripts["r:o"] = lambda order: bench.performer.succeed(order, used=("a.h",), probes=("a.h",))
    bench.run()

    bench.write("b.h", "edited")
    assert bench.run().how == {}
    bench.write("a.h", "edited")
    assert bench.run().how == {"r:o": "executed"}


def test_a_fresh_checkout_without_manifest_finds_results_by_their_traces(tmp_path):
    bench = Bench(tmp_path, [step("o", "m.c", candidates=("a.h", "b.h"))], {"m.c": "1", "a.h": "", "b.h": ""})
    bench.scripts["r:o"] = lambda order: _traced(bench, order)
    bench.run()
    bench.manifest = None
    bench.write("b.h", "not read")

    report = bench.run()

    assert report.how == {"r:o": "local"}


def _traced(bench, order):
    from shared.keys import body_of, trace_key

    outcome = bench.performer.succeed(order, used=("a.h",), probes=("a.h",))
    primary = [item for item in order.action.inputs if item.path in order.action.primary]
    bench.results.add_trace(trace_key(body_of(order.action), primary), outcome.result.trace)
    return outcome
