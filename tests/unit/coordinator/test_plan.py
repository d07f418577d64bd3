"""Planning: what is marked, why, in which layers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.commit.fold import fold
from coordinator.diff import diff
from coordinator.keying.candidates import Candidates
from coordinator.plan.dirty import Facts, mark
from coordinator.plan.explain import chain, sentence
from coordinator.plan.planner import plan, select
from shared import canonical, hashing
from shared.errors import GraphError, UnknownTarget
from shared.model.action import ActionResult, Output, Timings, Trace
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import Manifest
from shared.model.plan import (
    CommandChanged,
    EnvironmentChanged,
    Forced,
    InputAdded,
    InputChanged,
    InputRemoved,
    NeverBuilt,
    OutputAltered,
    OutputMissing,
    ToolchainChanged,
    Upstream,
)
from shared.model.snapshot import Snapshot


def state(text: str) -> FileState:
    return FileState(hashing.of_bytes(text.encode()), len(text))


def cc(name: str, *, flags: str = "-O1", headers: tuple[str, ...] = ("inc/a.h", "inc/b.h"), env=()) -> Recipe:
    return Recipe(
        id=f"cc:{name}.o",
        rule="cc",
        argv=("cc", flags, f"{name}.c"),
        outputs=(f"{name}.o",),
        inputs=(f"{name}.c",),
        candidates=headers,
        depfile=f"{name}.d",
        env=env,
    )


def link(*names: str) -> Recipe:
    objects = tuple(sorted(f"{name}.o" for name in names))
    return Recipe(id="link:app", rule="link", argv=("cc", *objects), outputs=("app",), inputs=objects)


def graph(*recipes: Recipe, platform: str = "linux") -> BuildGraph:
    return BuildGraph(recipes, platform=platform, fingerprint="g")


def snapshot(outputs: dict[str, str] | None = None, **sources: str) -> Snapshot:
    named = {path.replace("__", "/").replace("_", "."): state(text) for path, text in sources.items()}
    return Snapshot(sources=named, outputs={path: state(text) for path, text in (outputs or {}).items()})


def built(graph_: BuildGraph, seen: Snapshot, traces: dict[str, Trace] | None = None) -> tuple[Manifest, Snapshot]:
    """The manifest and workspace after a clean build in which every output holds its recipe's id."""
    results = {
        id_: ActionResult(
            key=hashing.of_bytes(id_.encode()),
            outputs=tuple(Output(path, state(id_).hash, len(id_)) for path in recipe.outputs),
            trace=(traces or {}).get(id_, Trace()) if recipe.depfile else None,
            timings=Timings(run=1.0),
        )
        for id_, recipe in graph_.recipes.items()
    }
    empty = plan(Facts(graph_, None, seen, diff(None, seen)))
    manifest = fold(None, graph=graph_, snapshot=seen, results=results, plan=empty)
    outputs = {path: state(id_) for path, id_ in graph_.producer.items()}
    return msgspec.structs.replace(manifest, revision=1), msgspec.structs.replace(seen, outputs=outputs)


READS = {"cc:x.o": Trace(used=("inc/a.h",), probes=("a.h",)), "cc:y.o": Trace(used=("inc/b.h",), probes=("b.h",))}


@pytest.fixture
def before() -> tuple[BuildGraph, Manifest, Snapshot]:
    graph_ = graph(cc("x"), cc("y"), link("x", "y"))
    seen = snapshot(x_c="x", y_c="y", inc__a_h="a", inc__b_h="b")
    manifest, seen = built(graph_, seen, READS)
    return graph_, manifest, seen


def marked(graph_: BuildGraph, manifest: Manifest | None, seen: Snapshot, **more: object) -> dict:
    return mark(Facts(graph_, manifest, seen, diff(manifest, seen), **more))


def with_sources(seen: Snapshot, **texts: str | None) -> Snapshot:
    sources = dict(seen.sources)
    for name, text in texts.items():
        path = name.replace("__", "/").replace("_", ".")
        if text is None:
            del sources[path]
        else:
            sources[path] = state(text)
    return msgspec.structs.replace(seen, sources=sources)


def test_nothing_changed_marks_nothing(before):
    assert marked(*before) == {}


def test_a_first_build_marks_everything_as_never_built(before):
    graph_, _, seen = before

    reasons = marked(graph_, None, seen)

    assert list(reasons) == ["cc:x.o", "cc:y.o", "link:app"]
    assert all(NeverBuilt() in why for why in reasons.values())


def test_an_edited_source_marks_its_job_and_what_reads_it(before):
    graph_, manifest, seen = before

    reasons = marked(graph_, manifest, with_sources(seen, x_c="other"))

    assert reasons == {
        "cc:x.o": (InputChanged("x.c", state("x").hash, state("other").hash),),
        "link:app": (Upstream("cc:x.o"),),
    }


def test_an_edited_header_marks_only_those_that_read_it(before):
    graph_, manifest, seen = before

    assert set(marked(graph_, manifest, with_sources(seen, inc__b_h="new"))) == {"cc:y.o", "link:app"}


def test_a_header_nobody_reads_marks_nothing(before):
    _, manifest, seen = before
    graph_ = graph(cc("x", headers=("inc/a.h", "inc/b.h", "inc/c.h")), cc("y"), link("x", "y"))

    assert marked(graph_, manifest, with_sources(seen, inc__c_h="new")) == {}


def test_a_new_header_of_a_name_that_was_asked_for_marks_its_user(before):
    _, manifest, seen = before
    headers = ("first/a.h", "inc/a.h", "inc/b.h")
    graph_ = graph(cc("x", headers=headers), cc("y", headers=headers), link("x", "y"))

    reasons = marked(graph_, manifest, with_sources(seen, first__a_h="shadow"))

    assert reasons["cc:x.o"] == (InputAdded("first/a.h"),)
    assert "cc:y.o" not in reasons


def test_a_header_that_was_passed_over_when_it_was_built_marks_nothing():
    headers = ("inc/a.h", "later/a.h")
    graph_ = graph(cc("x", headers=headers))
    seen = snapshot(x_c="x", inc__a_h="a", later__a_h="a2")
    manifest, seen = built(graph_, seen, READS)

    assert marked(graph_, manifest, seen) == {}
    assert marked(graph_, manifest, with_sources(seen, later__a_h="edited")) == {}


def test_a_deleted_header_marks_those_that_read_it(before):
    _, manifest, seen = before
    graph_ = graph(cc("x", headers=("inc/b.h",)), cc("y", headers=("inc/b.h",)), link("x", "y"))

    reasons = marked(graph_, manifest, with_sources(seen, inc__a_h=None))

    assert reasons["cc:x.o"] == (InputRemoved("inc/a.h"),)
    assert "cc:y.o" not in reasons


def test_a_changed_flag_says_what_was_and_is(before):
    _, manifest, seen = before
    graph_ = graph(cc("x", flags="-O3"), cc("y"), link("x", "y"))

    (reason,) = marked(graph_, manifest, seen)["cc:x.o"]

    assert reason == CommandChanged(("cc", "-O1", "x.c"), ("cc", "-O3", "x.c"))
    assert sentence(reason) == "its command changed: -O1 → -O3"


@pytest.mark.parametrize(
    ("was", "now"),
    [(None, ""), ("", None), ("a", "b"), (None, "a")],
)
def test_unset_and_empty_are_two_values(before, was, now):
    _, _, seen = before
    manifest, seen = built(graph(cc("x", env=(("V", was),))), seen, READS)

    reasons = marked(graph(cc("x", env=(("V", now),))), manifest, seen)

    assert reasons["cc:x.o"] == (EnvironmentChanged("V", was, now),)


def test_another_toolchain_marks_everything(before):
    _, manifest, seen = before
    graph_ = graph(cc("x"), cc("y"), link("x", "y"), platform="other")

    assert all(ToolchainChanged("linux", "other") in why for why in marked(graph_, manifest, seen).values())


def test_a_missing_output_marks_its_job_alone(before):
    graph_, manifest, seen = before
    outputs = {path: known for path, known in seen.outputs.items() if path != "x.o"}

    reasons = marked(graph_, manifest, msgspec.structs.replace(seen, outputs=outputs))

    assert reasons == {"cc:x.o": (OutputMissing("x.o"),)}


def test_an_altered_output_marks_its_job_alone(before):
    graph_, manifest, seen = before
    seen = msgspec.structs.replace(seen, outputs={**seen.outputs, "app": state("forged")})

    assert marked(graph_, manifest, seen) == {"link:app": (OutputAltered("app"),)}


def test_full_marks_everything(before):
    reasons = marked(*before, full=True)

    assert [why[0] for why in reasons.values()] == [Forced()] * 3


def test_lost_blobs_spread(before):
    reasons = marked(*before, lost=frozenset({"x.o"}))

    assert set(reasons) == {"cc:x.o", "link:app"}


def test_layers_have_no_gaps_and_go_by_the_longest_path(before):
    graph_, manifest, seen = before

    planned = plan(Facts(graph_, manifest, with_sources(seen, x_c="1"), diff(manifest, with_sources(seen, x_c="1"))))

    assert planned.layers == (("cc:x.o",), ("link:app",))
    assert planned.preserved == ("cc:y.o",)
    assert planned.priority["cc:x.o"] > planned.priority["link:app"]


def test_plans_are_equal_byte_for_byte(before):
    graph_, manifest, seen = before
    shuffled = graph(link("x", "y"), cc("y"), cc("x"))
    facts = Facts(graph_, manifest, seen, diff(manifest, seen), full=True)

    one, two = plan(facts), plan(msgspec.structs.replace(facts, graph=shuffled))

    assert canonical.encode(msgspec.structs.replace(one, jobs=dict(sorted(one.jobs.items())))) == canonical.encode(
        msgspec.structs.replace(two, jobs=dict(sorted(two.jobs.items())))
    )


def test_a_gone_rule_removes_its_outputs(before):
    _, manifest, seen = before
    graph_ = graph(cc("x"), cc("y"))

    planned = plan(Facts(graph_, manifest, seen, diff(manifest, seen)))

    assert planned.removed == ("app",)
    assert planned.jobs == {}


def test_targets_narrow_the_plan_to_what_they_need(before):
    graph_, _, seen = before

    planned = plan(Facts(graph_, None, seen, diff(None, seen)), targets=("x.o",))

    assert set(planned.jobs) == {"cc:x.o"}


@pytest.mark.parametrize("target", ["app", "link:app", "link", "ap*", "./app"])
def test_a_target_is_an_output_a_job_a_rule_or_a_glob(before, target):
    assert list(select(before[0], (target,))) == ["link:app"]


def test_an_unknown_target_is_an_error_with_a_guess(before):
    with pytest.raises(UnknownTarget) as caught:
        select(before[0], ("apq",))

    assert "did you mean app?" in caught.value.fix
    assert caught.value.exit_code == 4


def test_two_makers_of_one_path_are_named():
    one = Recipe(id="a:o", rule="a", argv=("a",), outputs=("o",), at="windrow.toml:3")
    two = Recipe(id="b:o", rule="b", argv=("b",), outputs=("o",), at="windrow.toml:9")

    with pytest.raises(GraphError) as caught:
        graph(one, two)

    assert (caught.value.at, "windrow.toml:3" in caught.value.why) == ("windrow.toml:9", True)


def test_a_cycle_is_told_with_its_chain():
    a = Recipe(id="a:a", rule="a", argv=("a",), outputs=("a",), inputs=("b",))
    b = Recipe(id="b:b", rule="b", argv=("b",), outputs=("b",), inputs=("c",))
    c = Recipe(id="c:c", rule="c", argv=("c",), outputs=("c",), inputs=("a",))

    with pytest.raises(GraphError) as caught:
        graph(a, b, c)

    assert caught.value.why == "a needs b needs c needs a"


def test_the_chain_of_why_ends_at_what_set_it_off(before):
    graph_, manifest, seen = before
    changed = with_sources(seen, inc__a_h="new")
    planned = plan(Facts(graph_, manifest, changed, diff(manifest, changed)))

    lines = list(chain(planned.jobs, "link:app"))

    assert [text for _, text in lines][:2] == ["link:app", "cc:x.o"]
    assert lines[2][1].startswith("because inc/a.h changed (sha256:")


@st.composite
def dags(draw: st.DrawFn) -> list[Recipe]:
    count = draw(st.integers(1, 12))
    recipes = []
    for number in range(count):
        needs = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        inputs = tuple(sorted([f"s{number}", *(f"o{need}" for need in needs)]))
        recipes.append(
            Recipe(id=f"r:o{number}", rule="r", argv=("r", str(number)), outputs=(f"o{number}",), inputs=inputs)
        )
    return recipes


@given(dags(), st.data())
def test_every_job_lies_in_a_later_layer_than_what_it_needs(recipes, data):
    graph_ = graph(*recipes)
    seen = snapshot(**{f"s{n}": str(n) for n in range(len(recipes))})
    manifest, seen = built(graph_, seen)
    edited = data.draw(st.sets(st.sampled_from(sorted(seen.sources))))
    changed = msgspec.structs.replace(seen, sources={p: state("new" if p in edited else p[1:]) for p in seen.sources})

    planned = plan(Facts(graph_, manifest, changed, diff(manifest, changed)))

    layer_of = {id_: n for n, layer in enumerate(planned.layers) for id_ in layer}
    for id_ in layer_of:
        assert all(layer_of[need] < layer_of[id_] for need in graph_.dependencies[id_] if need in layer_of)
    reached = {f"r:o{path[1:]}" for path in edited}
    for recipe in recipes:
        if any(need in reached for need in graph_.dependencies[recipe.id]):
            reached.add(recipe.id)
    assert set(layer_of) == reached


@given(
    st.sets(st.sampled_from(["a/x.h", "b/x.h", "b/y.h", "c/z.h"])),
    st.sets(st.sampled_from(["x.h", "y.h", "*"])),
    st.booleans(),
)
def test_the_index_of_candidates_agrees_with_looking_at_each(paths, probes, tree):
    recipe = Recipe(id="r:o", rule="r", argv=("r",), outputs=("o",), inputs=("m.c",), candidates=tuple(sorted(paths)))
    trace = Trace(used=("a/x.h",), probes=tuple(sorted(probes)), tree=tree)
    candidates = Candidates(("t/x.h", "t/w.h"))

    scope = candidates.scope(recipe, trace)
    expected = sorted(p for p in scope if "*" in probes or p.rpartition("/")[2] in probes)

    assert candidates.shadowing(recipe, trace) == expected
