"""Planning of imported builds: default targets, what is missing, what always runs, what is left out."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.commit.fold import fold
from coordinator.diff import diff
from coordinator.plan.dirty import Facts
from coordinator.plan.explain import sentence
from coordinator.plan.planner import plan, select
from shared import hashing
from shared.errors import GraphError, UnknownTarget
from shared.model.action import ActionResult, Output, Trace
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Names, Recipe
from shared.model.manifest import Manifest
from shared.model.plan import (
    AlwaysRuns,
    CommandChanged,
    InputAdded,
    InputChanged,
    InputRemoved,
    NeverBuilt,
    OutputMissing,
    Plan,
    Reason,
    Upstream,
)
from shared.model.snapshot import Snapshot


def digest(text: str) -> str:
    return hashing.of_bytes(text.encode())


def loose(name: str, *inputs: str, **more: object) -> Recipe:
    recipe = Recipe(
        f"r:{name}",
        "r",
        ("run", name),
        (name,),
        tuple(sorted(inputs)),
        loose=True,
        cwd="work",
        at=f"build.ninja:{len(name)}",
    )
    return msgspec.structs.replace(recipe, **more)


class Building:
    """A graph, a tree, and what the last build left; every job makes its id."""

    def __init__(self, *recipes: Recipe, sources: tuple[str, ...] = ("in",), names: Names | None = None) -> None:
        self.recipes = {recipe.id: recipe for recipe in recipes}
        self.names = names or Names()
        self.sources = dict.fromkeys(sources, "1")
        self.outputs: dict[str, str] = {}
        self.manifest: Manifest | None = None
        self.traces: dict[str, Trace] = {}
        self.left_out: set[str] = set()
        self.besides: dict[str, str] = {}

    @property
    def graph(self) -> BuildGraph:
        return BuildGraph(self.recipes.values(), platform="linux", fingerprint="g", names=self.names)

    @property
    def snapshot(self) -> Snapshot:
        states = [
            {path: FileState(digest(text), 1) for path, text in one.items()} for one in (self.sources, self.outputs)
        ]
        return Snapshot(*states)

    def change(self, id_: str, **more: object) -> None:
        self.recipes[id_] = msgspec.structs.replace(self.recipes[id_], **more)

    def plan(self, *targets: str, full: bool = False) -> Plan:
        seen = self.snapshot
        return plan(Facts(self.graph, self.manifest, seen, diff(self.manifest, seen), full=full), targets=targets)

    def reasons(self, id_: str, *targets: str) -> tuple[Reason, ...]:
        job = self.plan(*targets).jobs.get(id_)
        return job.reasons if job else ()

    def build(self, *targets: str) -> Plan:
        """Have all done that is planned, and commit."""
        planned, seen = self.plan(*targets), self.snapshot
        results = {id_: self._result(id_) for id_ in planned.jobs}
        draft = fold(self.manifest, graph=self.graph, snapshot=seen, results=results, plan=planned, stale=planned.stale)
        self.manifest = msgspec.structs.replace(draft, revision=1)
        self.outputs.update((output.path, "made") for result in results.values() for output in result.outputs)
        return planned

    def _result(self, id_: str) -> ActionResult:
        paths = [path for path in self.recipes[id_].outputs if path not in self.left_out]
        paths += [path for path, maker in self.besides.items() if maker == id_]
        outputs = tuple(Output(path, digest("made"), 1) for path in paths)
        return ActionResult(digest(id_), outputs, trace=self.traces.get(id_))


# -- default targets ------------------------------------------------------------------------------


def test_without_targets_the_defaults_are_built_with_all_they_need() -> None:
    building = Building(loose("a", "in"), loose("b", "a"), loose("docs", "in"), names=Names(default=("r:b",)))

    planned = building.plan()

    assert set(planned.jobs) == {"r:a", "r:b"}
    assert (planned.outside, planned.stale) == ({"r:docs"}, {"r:docs"})


def test_targets_leave_out_what_they_do_not_need() -> None:
    building = Building(loose("a", "in"), loose("b", "a"), names=Names(default=("r:b",)))

    planned = building.plan("a")

    assert (set(planned.jobs), planned.stale) == ({"r:a"}, {"r:b"})


def test_an_alias_is_a_target_and_so_is_one_that_stands_for_nothing() -> None:
    names = Names(aliases={"all": ("r:a", "r:b"), "nothing": ()})
    building = Building(loose("a", "in"), loose("b", "in"), loose("c", "in"), names=names)

    assert list(select(building.graph, ["all"])) == ["r:a", "r:b"]
    assert list(select(building.graph, ["nothing", "c"])) == ["r:c"]


def test_a_path_goes_before_an_alias_and_a_typo_is_met_with_a_guess() -> None:
    building = Building(loose("a", "in"), loose("b", "in"), names=Names(aliases={"a": ("r:b",), "install": ("r:b",)}))

    assert list(select(building.graph, ["a"])) == ["r:a"]
    with pytest.raises(UnknownTarget) as error:
        building.plan("instal")
    assert "install" in error.value.fix


def test_what_validates_a_target_comes_along() -> None:
    names = Names(default=("r:a",), validations={"r:a": ("r:lint",)})
    building = Building(loose("a", "in"), loose("lint", "in"), names=names)

    assert set(building.plan().jobs) == {"r:a", "r:lint"}


# -- missing inputs -------------------------------------------------------------------------------


def test_an_input_that_is_missing_is_an_error_when_it_is_needed() -> None:
    names = Names(missing={"r:b": ("../gone", "names")}, default=("r:a",))
    building = Building(loose("a", "in"), loose("b", "gone"), names=names)

    assert set(building.plan().jobs) == {"r:a"}
    with pytest.raises(GraphError, match=r"'\.\./gone', needed by 'names'") as error:
        building.plan("b")
    assert error.value.at == "build.ninja:1"


def test_an_input_deleted_since_it_was_read_is_a_reason() -> None:
    building = Building(loose("a", "in", "more"), sources=("in", "more"))
    building.build()

    del building.sources["more"]

    assert InputRemoved("more") in building.reasons("r:a")


# -- what always runs -----------------------------------------------------------------------------


def test_what_needs_something_that_is_never_up_to_date_always_runs() -> None:
    building = Building(loose("a", "in", always=True), loose("b", "a"))
    building.build()

    assert building.reasons("r:a") == (AlwaysRuns(),)
    assert building.reasons("r:b") == (Upstream("r:a"),)
    assert sentence(AlwaysRuns()) == "what it needs is never up to date"


def test_an_output_that_was_left_out_has_its_job_run_again() -> None:
    building = Building(loose("a", "in", outputs=("a", "stamp")))
    building.left_out = {"stamp"}
    building.build()

    assert building.reasons("r:a") == (AlwaysRuns("stamp"),)
    assert sentence(AlwaysRuns("stamp")) == "its output stamp was not made when it ran"

    building.left_out = set()
    building.build()

    assert not building.plan()


# -- what changed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{"cwd": "elsewhere"}, {"files": (("a.rsp", "-x"),)}, {"argv": ("walk",)}], ids=str)
def test_folder_and_response_files_are_part_of_the_command(more: dict[str, object]) -> None:
    building = Building(loose("a", "in"))
    building.build()

    building.change("r:a", **more)

    (reason,) = building.reasons("r:a")
    assert isinstance(reason, CommandChanged)


@pytest.mark.parametrize(
    "more",
    [{"description": "x"}, {"pool": "p"}, {"place": "here"}, {"at": "build.ninja:99"}, {"mounts": ("x",)}],
    ids=str,
)
def test_where_it_runs_and_what_is_said_of_it_is_no_reason(more: dict[str, object]) -> None:
    building = Building(loose("a", "in"))
    building.build()

    building.change("r:a", **more)

    assert not building.plan()


def test_files_outside_the_tree_are_inputs_like_others() -> None:
    building = Building(loose("a", "in", outside=(("/x", "1"), ("/y", "1"))))
    building.build()

    building.change("r:a", outside=(("/y", "2"), ("/z", "1")))

    assert building.reasons("r:a") == (InputRemoved("/x"), InputChanged("/y", "1", "2"), InputAdded("/z"))


def test_a_new_file_in_a_folder_that_was_listed_is_a_reason() -> None:
    building = Building(loose("a"), sources=("data/one", "elsewhere/one"))
    building.traces["r:a"] = Trace(used=("data/one",), listed=("data",), tree=True)
    building.build()

    building.sources["elsewhere/two"] = "1"
    assert building.reasons("r:a") == ()

    building.sources["data/two"] = "1"
    assert building.reasons("r:a") == (InputAdded("data/two"),)


def test_what_the_last_run_did_not_read_marks_nothing() -> None:
    building = Building(loose("gen", "in"), loose("a", "in", after=("gen",)))
    building.traces["r:a"] = Trace()
    building.build()

    del building.outputs["gen"]
    assert building.reasons("r:gen") == (OutputMissing("gen"),)

    building.change("r:gen", argv=("other",))
    assert set(building.plan().jobs) == {"r:gen"}

    building.traces["r:a"] = Trace(used=("gen",))
    building.change("r:a", argv=("again",))
    building.build()
    building.change("r:gen", argv=("third",))
    assert building.reasons("r:a") == (Upstream("r:gen"),)


def test_before_the_first_run_anything_that_must_come_before_may_be_read() -> None:
    building = Building(loose("gen", "in"), loose("a", "in", after=("gen",)))

    assert set(building.reasons("r:a")) == {NeverBuilt(), Upstream("r:gen")}


# -- what is left out -----------------------------------------------------------------------------


def test_what_is_out_of_date_and_was_not_asked_for_is_left_out_of_the_revision() -> None:
    building = Building(loose("a", "in"), loose("b", "in"))
    building.build()
    building.sources["in"] = "2"

    building.build("a")

    assert building.manifest is not None
    assert set(building.manifest.jobs) == {"r:a"}
    assert set(building.manifest.artefacts) == {"a"}
    assert not building.manifest.rests
    assert building.reasons("r:b") == (NeverBuilt(),)


def test_what_is_up_to_date_and_was_not_asked_for_stays() -> None:
    building = Building(loose("a", "in"), loose("b", "other"), sources=("in", "other"))
    building.build()
    building.sources["in"] = "2"

    building.build("a")

    assert building.manifest is not None
    assert set(building.manifest.jobs) == {"r:a", "r:b"}
    assert building.manifest.rests


def test_outputs_nobody_makes_any_more_are_removed_by_whole_builds_only() -> None:
    building = Building(loose("a", "in"), loose("b", "in"))
    building.build()
    del building.recipes["r:b"]

    assert building.plan("a").removed == ()
    assert building.plan().removed == ("b",)


# -- what a revision says of itself ---------------------------------------------------------------


def test_a_revision_rests_when_nothing_wanted_is_left_out_and_nothing_always_runs() -> None:
    building = Building(loose("a", "in"), loose("docs", "in"), names=Names(default=("r:a",)))
    building.build()
    assert building.manifest is not None and building.manifest.rests

    building.change("r:a", always=True)
    building.build()
    assert not building.manifest.rests
