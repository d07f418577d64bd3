"""Dispatch: layers, the longest chain first, what is prepared, batches, pools."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.diff import diff
from coordinator.dispatch.batches import planned_run
from coordinator.dispatch.prepare import Preparer
from coordinator.dispatch.release import ReadyJobs
from coordinator.dispatch.report import Options
from coordinator.dispatch.scheduler import Scheduler
from coordinator.dispatch.table import JobTable
from coordinator.dispatch.tree import RunTree
from coordinator.plan.dirty import Facts
from coordinator.plan.planner import plan
from shared.clock import SystemClock
from shared.model.graph import BuildGraph, Names
from tests.fakes.performer import ScriptedPerformer
from tests.unit.coordinator.scheduler.bench import Bench, step


def test_strict_layers_start_no_job_before_the_layer_below_has_ended(tmp_path):
    recipes = [step("a1", "s"), step("a2", "s"), step("b1", "a1"), step("c", "b1", "a2")]
    bench = Bench(tmp_path, recipes, {"s": "1"})

    bench.run(options=Options(schedule="layers"))

    order = bench.performer.performed
    assert max(order.index("r:a1"), order.index("r:a2")) < order.index("r:b1") < order.index("r:c")


def test_the_longest_chain_goes_first(tmp_path):
    short = [step(f"s{n:02}", "in") for n in range(60)]
    long = [step("l0", "in"), step("l1", "l0"), step("l2", "l1")]
    bench = Bench(tmp_path, [*short, *long], {"in": "1"})

    bench.run()

    # Sixteen are looked up at once, and whichever is first is not held back for a better one.
    order = bench.performer.performed
    assert order.index("r:l0") < 16


def test_what_is_sure_to_run_is_prepared_first(tmp_path):
    """Its command runs while results of the others are looked up, however short the chain behind it."""
    recipes = [step("a", "in"), step("b", "a"), step("c", "b"), step("d", "in")]
    sure = msgspec.structs.replace(step("z", "in"), always=True)
    bench = Bench(tmp_path, [*recipes, sure], {"in": "1"})
    bench.run()
    bench.write("in", "2")
    seen, graph = bench.snapshot(), BuildGraph([*recipes, sure], platform="linux")
    planned = plan(Facts(graph, bench.manifest, seen, diff(bench.manifest, seen)))
    runs = JobTable()
    for id_, job in planned.jobs.items():
        needs = {need for need in graph.dependencies[id_] if need in planned.jobs}
        runs.add(planned_run(job, graph.recipes[id_], planned.priority[id_], needs))

    ready = ReadyJobs(runs, planned.layers, strict=False)
    for run in runs:
        ready.release(run)

    assert [run.id for run in iter(ready.take, None)] == ["r:z", "r:a", "r:d"]


def test_what_waits_for_a_slot_is_bounded(tmp_path):
    bench = Bench(tmp_path, [step(f"j{n:03}", "in") for n in range(100)], {"in": "1"})

    bench.run()

    assert len(bench.performer.performed) == 100
    assert bench.performer.most_under_way <= 4


def test_tiny_jobs_travel_together(tmp_path):
    bench = Bench(tmp_path, [step(f"n{n:03}", kind="noop") for n in range(300)], {})
    bench.scripts.update({f"r:n{n:03}": lambda order: bench.performer.succeed(order) for n in range(300)})

    report = bench.run()

    assert len(report.how) == 300
    assert len(bench.performer.batches) < 60
    assert max(len(batch) for batch in bench.performer.batches) <= 64


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_order_of_outcomes_ends_with_the_same_outputs(tmp_path_factory, data):
    count = data.draw(st.integers(1, 9))
    recipes = []
    for number in range(count):
        needs = data.draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        recipes.append(step(f"o{number}", "s", *(f"o{need}" for need in needs)))
    schedule = data.draw(st.sampled_from(["ready", "layers"]))
    root = tmp_path_factory.mktemp("tree")
    one, two = Bench(root, recipes, {"s": "1"}), Bench(root, recipes, {"s": "1"})
    one.run()
    two.run(options=Options(schedule=schedule))

    assert one.manifest.artefacts == two.manifest.artefacts


def test_a_job_taken_in_while_the_build_runs_keeps_its_place_and_its_pool(tmp_path):
    """Its command may make sense on this machine only."""
    user = msgspec.structs.replace(step("user", "mid"), place="here", pool="few", loose=True)
    bench = Bench(tmp_path, [step("mid", "in"), user], {"in": "1"})
    bench.run()
    graph = BuildGraph(bench.recipes, platform="linux", names=Names(pools={"few": 1}))
    seen = bench.snapshot()
    # Its stored bytes are gone, which shows only when it comes out otherwise.
    lost = plan(
        Facts(graph, bench.manifest, seen, diff(bench.manifest, seen), lost=frozenset({"mid"})), targets=("mid",)
    )
    far, near = (ScriptedPerformer(bench.blobs, bench.results, {}) for _ in range(2))
    far.scripts["r:mid"] = lambda order: far.succeed(order, text="other")
    tree = RunTree(graph, seen, bench.manifest)
    preparer = Preparer(
        tree=tree, blobs=bench.blobs, results=bench.results, root=tmp_path, build="b",
        default_timeout=10.0, use_cache=False, settle=bench.settle, clock=SystemClock(),
    )  # fmt: skip

    report = Scheduler(
        lost, tree=tree, preparer=preparer, performer=lambda: far, here=lambda: near, settle=bench.settle,
        observer=bench.observer, clock=SystemClock(), alive=lambda: None, options=Options(),
    ).run()  # fmt: skip

    assert report.added == ("r:user",)
    assert (far.performed, near.performed) == (["r:mid"], ["r:user"])


def test_jobs_of_a_pool_run_no_more_at_once_than_it_is_deep(tmp_path):
    recipes = [msgspec.structs.replace(step(f"j{number}", "in"), pool="few") for number in range(5)]
    bench = Bench(tmp_path, recipes, {"in": "1"})
    graph = BuildGraph(recipes, platform="linux", names=Names(pools={"few": 2}))
    seen = bench.snapshot()
    performer = ScriptedPerformer(bench.blobs, bench.results, {}, slots=8)
    tree = RunTree(graph, seen, None)
    preparer = Preparer(
        tree=tree, blobs=bench.blobs, results=bench.results, root=tmp_path, build="b",
        default_timeout=10.0, use_cache=True, settle=bench.settle, clock=SystemClock(),
    )  # fmt: skip

    report = Scheduler(
        plan(Facts(graph, None, seen, diff(None, seen))), tree=tree, preparer=preparer, performer=lambda: performer,
        settle=bench.settle, observer=bench.observer, clock=SystemClock(), alive=lambda: None, options=Options(),
    ).run()  # fmt: skip

    assert len(report.results) == 5
    assert max(map(len, performer.batches)) <= 2
