"""Dispatch: release, reuse, failure, repeats and remakes, on stores in memory and a scripted performer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.commit.fold import fold
from coordinator.diff import diff
from coordinator.dispatch.batches import planned_run
from coordinator.dispatch.prepare import Preparer, SourceMoved
from coordinator.dispatch.release import ReadyJobs
from coordinator.dispatch.report import Options, RunReport
from coordinator.dispatch.scheduler import Scheduler
from coordinator.dispatch.table import JobTable
from coordinator.dispatch.tree import RunTree
from coordinator.dispatch.wanted import match_wanted
from coordinator.plan.dirty import Facts
from coordinator.plan.planner import plan
from shared import hashing
from shared.clock import SystemClock
from shared.errors import BlobMissing, StoreUnavailable, TimeLimit
from shared.model.action import ActionResult, Output
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Names, Recipe
from shared.model.job import JobOutcome
from shared.model.manifest import Manifest
from shared.model.snapshot import Snapshot
from shared.storage.memory import MemoryBlobs, MemoryRefs
from shared.storage.stored_results import StoredResults
from tests.fakes.observer import RecordingObserver
from tests.fakes.performer import ScriptedPerformer, fail


def step(name: str, *inputs: str, candidates: tuple[str, ...] = (), kind: str = "command") -> Recipe:
    depfile = f"{name}.d" if candidates else None
    return Recipe(
        f"r:{name}", "r", ("run", name), (name,), tuple(sorted(inputs)), candidates, depfile=depfile, kind=kind
    )


class Bench:
    """A tree on disk, stores in memory, and builds of it."""

    def __init__(self, root: Path, recipes: list[Recipe], sources: dict[str, str]) -> None:
        self.root = root
        self.recipes = recipes
        self.blobs = MemoryBlobs()
        self.results = StoredResults(MemoryRefs(), self.blobs, source="local")
        self.manifest: Manifest | None = None
        self.settled: list[str] = []
        self.observer = RecordingObserver()
        self.scripts: dict = {}
        self.performer = ScriptedPerformer(self.blobs, self.results, self.scripts)
        self.sources: dict[str, str] = {}
        for path, text in sources.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        self.sources[path] = text
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def snapshot(self) -> Snapshot:
        sources = {p: FileState(hashing.of_bytes(t.encode()), len(t)) for p, t in self.sources.items()}
        made = self.manifest.artefacts if self.manifest else {}
        return Snapshot(sources, {p: FileState(a.hash, a.size, a.mode) for p, a in made.items()})

    def run(
        self, *, options: Options = Options(), use_cache: bool = True, full: bool = False, commit: bool = True
    ) -> RunReport:
        self.performer = ScriptedPerformer(self.blobs, self.results, self.scripts)
        return self.run_with(self.performer, options=options, use_cache=use_cache, full=full, commit=commit)

    def run_with(self, performer, *, options=Options(), use_cache=True, full=False, commit=True) -> RunReport:
        self.performer = performer
        self.observer = RecordingObserver()
        graph = BuildGraph(self.recipes, platform="linux")
        seen = self.snapshot()
        planned = plan(Facts(graph, self.manifest, seen, diff(self.manifest, seen), full=full))
        tree = RunTree(graph, seen, self.manifest)
        preparer = Preparer(
            tree=tree,
            blobs=self.blobs,
            results=self.results,
            root=self.root,
            build="b",
            default_timeout=10.0,
            use_cache=use_cache,
            settle=self.settle,
            clock=SystemClock(),
        )
        report = Scheduler(
            planned,
            tree=tree,
            preparer=preparer,
            performer=lambda: performer,
            settle=self.settle,
            observer=self.observer,
            clock=SystemClock(),
            alive=lambda: None,
            options=options,
        ).run()
        if commit and not report.failures and not report.skipped:
            draft = fold(self.manifest, graph=graph, snapshot=seen, results=report.results, plan=planned)
            self.manifest = msgspec.structs.replace(draft, revision=1)
        return report

    def settle(self, result, _carried=None) -> None:
        for output in result.outputs:
            self.blobs.get(output.hash)
            self.settled.append(output.path)

    def spoil(self, path: str) -> None:
        self.blobs.contents[self.manifest.artefacts[path].hash] = b"spoilt"


@pytest.fixture
def chain(tmp_path) -> Bench:
    return Bench(tmp_path, [step("mid", "in"), step("final", "mid")], {"in": "1"})


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


def test_a_damaged_input_is_made_again(chain):
    chain.run()
    chain.spoil("mid")
    chain.recipes[1] = Recipe("r:final", "r", ("run", "final", "differently"), ("final",), ("mid",))

    report = chain.run()

    assert chain.performer.performed.count("r:mid") == 1
    assert set(report.results) == {"r:mid", "r:final"}
    assert report.added == ("r:mid",)
    assert any("making them again" in text for text in chain.observer.warnings)


def test_a_damaged_hit_is_made_again(chain):
    chain.run()
    chain.spoil("final")
    chain.manifest = None

    report = chain.run()

    assert chain.performer.performed == ["r:final"]
    assert report.how == {"r:mid": "local", "r:final": "executed"}


def test_a_remade_input_that_comes_out_otherwise_reopens_what_read_it(tmp_path):
    recipes = [step("mid", "in"), step("one", "mid"), step("two", "mid")]
    bench = Bench(tmp_path, recipes, {"in": "1"})
    bench.run()
    bench.spoil("mid")
    bench.scripts["r:mid"] = lambda order: bench.performer.succeed(order, text="otherwise")
    bench.recipes = [recipes[0], Recipe("r:one", "r", ("run", "changed"), ("one",), ("mid",)), recipes[2]]

    report = bench.run()

    remade = report.results["r:mid"].outputs[0].hash
    assert bench.performer.performed.count("r:two") == 1
    assert bench.manifest.artefacts["mid"].hash == remade
    assert set(report.results) == {"r:mid", "r:one", "r:two"}


def test_an_input_that_cannot_be_made_again_is_an_error(chain):
    chain.scripts["r:final"] = lambda order: JobOutcome(
        order.job, order.attempt, "missing", missing=(order.action.inputs[0].hash,), worker="w"
    )

    with pytest.raises(BlobMissing):
        chain.run()

    assert chain.performer.cancelled


def test_a_file_that_a_command_wants_is_given_to_it_once(tmp_path):
    bench = Bench(tmp_path, [step("out", "in")], {"in": "1", "tools/gen.py": "x"})

    def script(order):
        if any(item.path == "tools/gen.py" for item in order.action.inputs):
            return bench.performer.succeed(order)
        return fail(wanted=("gen.py",))(order)

    bench.scripts["r:out"] = script
    report = bench.run()

    assert bench.performer.performed == ["r:out", "r:out"]
    assert report.results["r:out"].trace.used == ("tools/gen.py",)
    bench.write("tools/gen.py", "y")
    assert bench.run().how == {"r:out": "executed"}
    assert bench.performer.performed == ["r:out"]


def test_a_job_with_a_depfile_is_repeated_with_the_tree(tmp_path):
    bench = Bench(tmp_path, [step("o", "m.c", candidates=("x.h",))], {"m.c": "1", "x.h": "", "deep/y.h": "", "z": ""})

    def script(order):
        if order.action.tree:
            return bench.performer.succeed(order, used=("deep/y.h",), probes=("y.h",))
        return fail(wanted=("y.h",))(order)

    bench.scripts["r:o"] = script
    bench.run()

    assert {i.path for i in bench.performer.orders[1].action.inputs} == {"m.c", "x.h", "deep/y.h", "z"}
    bench.write("z", "edited")
    assert bench.run().how == {}


def test_a_job_that_still_fails_fails(tmp_path):
    bench = Bench(tmp_path, [step("out", "in")], {"in": "1", "tools/gen.py": "x"})
    bench.scripts["r:out"] = fail(wanted=("gen.py",))

    report = bench.run()

    assert bench.performer.performed == ["r:out", "r:out"]
    assert len(report.failures) == 1


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


def test_a_late_outcome_of_an_earlier_try_is_dropped(chain):
    def script(order):
        chain.performer.deliver(JobOutcome(order.job, order.attempt + 7, "failed", exit_code=9))
        return chain.performer.succeed(order)

    chain.scripts["r:mid"] = script

    assert not chain.run().failures


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


def test_wanted_names_match_by_their_end():
    sources = ["include/sub/x.h", "other/sub/x.h", "x.h", "y.h"]

    assert match_wanted(["sub/x.h"], sources) == ("include/sub/x.h", "other/sub/x.h")
    assert match_wanted(["./y.h"], sources) == ("y.h",)
    assert match_wanted(["nothing.h", ""], sources) == ()


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


def test_a_name_is_only_where_it_is_said_until_a_job_makes_another(tmp_path):
    graph = BuildGraph([step("gen/a.h", "in")], platform="linux")
    sources = {path: FileState(hashing.of_bytes(b""), 0) for path in ("in", "lib/b.h", "lib/c.h")}
    tree = RunTree(graph, Snapshot(sources, {}), None)

    assert tree.names_only(["b.h", "stdio.h"], {"lib/b.h"})
    assert not tree.names_only(["b.h", "c.h"], {"lib/b.h"})
    assert not tree.names_only(["a.h"], set())
    assert not tree.names_only(["*"], set(sources))

    undeclared = Output("other/b.h", hashing.of_bytes(b""), 0)
    tree.take("r:gen/a.h", ActionResult(key="k", outputs=(undeclared,)))

    assert not tree.names_only(["b.h"], {"lib/b.h"})
