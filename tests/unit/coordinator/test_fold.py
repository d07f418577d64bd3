"""Folding results into the next manifest."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.commit.fold import fold
from shared import hashing
from shared.model.action import ActionResult, Output, Timings, Trace
from shared.model.changes import ChangeSet
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import Manifest
from shared.model.plan import NeverBuilt, OutputMissing, Plan, PlannedJob, Reason
from shared.model.snapshot import Snapshot


def digest(text: str) -> str:
    return hashing.of_bytes(text.encode())


def graph_of(*names: str) -> BuildGraph:
    compiles = [
        Recipe(f"cc:{n}.o", "cc", ("cc", n), (f"{n}.o",), (f"{n}.c",), ("one.h", "two/one.h"), depfile=f"{n}.d")
        for n in names
    ]
    link = Recipe("link:app", "link", ("ld",), ("app",), tuple(f"{n}.o" for n in names))
    return BuildGraph([*compiles, link], platform="linux", fingerprint="graph")


def result_of(id_: str, text: str) -> ActionResult:
    path = id_.partition(":")[2]
    trace = Trace(("one.h",), ("one.h",)) if id_.startswith("cc:") else None
    made = Output(path, digest(text), len(text))
    return ActionResult(digest(f"key {text}"), (made,), trace=trace, timings=Timings(fetch=9.0, run=1.5))


def plan_of(*ids: str, reasons: tuple[Reason, ...] = (NeverBuilt(),), removed: tuple[str, ...] = ()) -> Plan:
    jobs = {id_: PlannedJob(id_, id_.partition(":")[0], 0, reasons) for id_ in ids}
    return Plan(1, "", (ids,), jobs, dict.fromkeys(ids, 0.0), ChangeSet(), removed)


def snapshot_of(*names: str) -> Snapshot:
    return Snapshot({n: FileState(digest(n), 1) for n in names}, {})


ALL = ("cc:a.o", "cc:b.o", "link:app")
SNAPSHOT = snapshot_of("a.c", "b.c", "one.h", "two/one.h")


@pytest.fixture
def base() -> Manifest:
    results = {id_: result_of(id_, f"old {id_}") for id_ in ALL}
    return fold(None, graph=graph_of("a", "b"), snapshot=SNAPSHOT, results=results, plan=plan_of(*ALL))


def test_a_first_build_holds_every_job_and_source(base: Manifest) -> None:
    entry = base.jobs["cc:a.o"]

    assert set(base.jobs) == set(ALL) and set(base.artefacts) == {"a.o", "b.o", "app"}
    assert base.sources == SNAPSHOT.sources and base.graph == "graph"
    assert (entry.key, entry.seconds, entry.layer, entry.platform) == (digest("key old cc:a.o"), 1.5, 0, "linux")
    assert entry.trace == Trace(("one.h",), ("one.h",)) and entry.unread == ("two/one.h",)
    assert base.jobs["link:app"].layer == 1
    assert base.artefacts["app"].job == "link:app"


def test_what_ran_is_new_and_the_rest_is_kept(base: Manifest) -> None:
    results = {"cc:a.o": result_of("cc:a.o", "new"), "link:app": result_of("link:app", "new app")}

    made = fold(base, graph=graph_of("a", "b"), snapshot=SNAPSHOT, results=results, plan=plan_of("cc:a.o", "link:app"))

    assert made.artefacts["a.o"].hash == digest("new")
    assert made.jobs["cc:b.o"] == base.jobs["cc:b.o"] and made.artefacts["b.o"] == base.artefacts["b.o"]


def test_nothing_changes_without_a_change(base: Manifest) -> None:
    made = fold(base, graph=graph_of("a", "b"), snapshot=SNAPSHOT, results={}, plan=plan_of())

    assert made == base


def test_a_job_that_is_gone_takes_its_artefacts_along(base: Manifest) -> None:
    results = {"link:app": result_of("link:app", "smaller")}

    made = fold(
        base, graph=graph_of("a"), snapshot=SNAPSHOT, results=results, plan=plan_of("link:app", removed=("b.o",))
    )

    assert set(made.jobs) == {"cc:a.o", "link:app"} and set(made.artefacts) == {"a.o", "app"}


def test_a_build_of_some_targets_remembers_what_is_still_to_be_removed(base: Manifest) -> None:
    results = {"cc:a.o": result_of("cc:a.o", "new")}

    made = fold(base, graph=graph_of("a"), snapshot=SNAPSHOT, results=results, plan=plan_of("cc:a.o"))

    assert made.artefacts["b.o"] == base.artefacts["b.o"]


def test_a_job_that_did_not_succeed_or_is_stale_leaves_the_manifest(base: Manifest) -> None:
    made = fold(
        base,
        graph=graph_of("a", "b"),
        snapshot=SNAPSHOT,
        results={},
        plan=plan_of("cc:a.o"),
        stale={"link:app"},
    )

    assert set(made.jobs) == {"cc:b.o"} and set(made.artefacts) == {"b.o"}


def test_a_job_planned_only_to_bring_its_output_back_is_kept(base: Manifest) -> None:
    plan = plan_of("cc:a.o", reasons=(OutputMissing("a.o"),))

    made = fold(base, graph=graph_of("a", "b"), snapshot=SNAPSHOT, results={}, plan=plan)

    assert made == base


def test_an_output_that_another_job_makes_now_belongs_to_it(base: Manifest) -> None:
    graph = BuildGraph([Recipe("copy:a.o", "copy", ("cp",), ("a.o",), ("a.c",))])
    plan = plan_of("copy:a.o", removed=("b.o", "app"))

    made = fold(base, graph=graph, snapshot=SNAPSHOT, results={"copy:a.o": result_of("copy:a.o", "x")}, plan=plan)

    assert set(made.jobs) == {"copy:a.o"}
    assert made.artefacts == {
        "a.o": msgspec.structs.replace(base.artefacts["a.o"], hash=digest("x"), size=1, job="copy:a.o")
    }


# -- what imported builds add ---------------------------------------------------------------------


def loose_graph(**more: object) -> BuildGraph:
    recipe = Recipe("gen:x", "gen", ("gen",), ("x", "stamp"), ("in",), loose=True, cwd="b", files=(("x.rsp", "-x"),))
    return BuildGraph([msgspec.structs.replace(recipe, outside=(("/usr/x", "1"),), **more)], platform="linux")


def loose_result(*paths: str) -> ActionResult:
    return ActionResult(
        digest("key"), tuple(Output(path, digest(path), 1) for path in paths), trace=Trace(("read.txt",))
    )


LOOSE = snapshot_of("in", "read.txt", "b/cache.txt")


def folded(*paths: str, base: Manifest | None = None, **more: object) -> Manifest:
    results = {"gen:x": loose_result(*paths)} if paths else {}
    plan = plan_of(*(["gen:x"] if paths else []))
    return fold(base, graph=loose_graph(**more), snapshot=LOOSE, results=results, plan=plan)


def test_an_entry_holds_what_an_imported_command_was_given() -> None:
    entry = folded("x", "stamp").jobs["gen:x"]

    assert (entry.cwd, entry.files, entry.outside) == ("b", (("x.rsp", "-x"),), (("/usr/x", "1"),))
    assert (entry.also, entry.always) == ((), False)


def test_outputs_nobody_declared_are_kept_with_their_job() -> None:
    made = folded("x", "stamp", "x.log", "a.log")
    again = folded(base=made)

    assert made.jobs["gen:x"].also == ("a.log", "x.log")
    assert set(made.artefacts) == {"x", "stamp", "x.log", "a.log"}
    assert again.artefacts == made.artefacts


def test_a_declared_output_that_was_left_out_has_the_job_always_run() -> None:
    made = folded("x")

    assert made.jobs["gen:x"].always
    assert not made.rests
    assert set(made.artefacts) == {"x"}


def test_a_symlink_is_kept_with_its_text() -> None:
    link = Output("x", digest("y"), 1, "link", "y")
    result = ActionResult(digest("key"), (link, Output("stamp", digest("stamp"), 1)))

    made = fold(None, graph=loose_graph(), snapshot=LOOSE, results={"gen:x": result}, plan=plan_of("gen:x"))

    assert (made.artefacts["x"].mode, made.artefacts["x"].target) == ("link", "y")


def test_a_source_beside_is_kept_only_if_a_job_reads_it() -> None:
    def beside(path: str) -> bool:
        return path != "in"

    made = fold(
        None,
        graph=loose_graph(),
        snapshot=LOOSE,
        results={"gen:x": loose_result("x", "stamp")},
        plan=plan_of("gen:x"),
        beside=beside,
    )

    assert set(made.sources) == {"in", "read.txt"}


def test_a_stale_job_is_left_out_with_all_it_made() -> None:
    base = folded("x", "stamp", "x.log")

    made = fold(base, graph=loose_graph(), snapshot=LOOSE, results={}, plan=plan_of(), stale=frozenset({"gen:x"}))

    assert (made.jobs, made.artefacts, made.rests) == ({}, {}, False)
