"""A job that read other files outside the tree than this machine has: repeated here, and then failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from coordinator.diff import diff
from coordinator.dispatch.prepare import Preparer, SourceMoved
from coordinator.dispatch.report import Options, RunReport
from coordinator.dispatch.scheduler import Scheduler
from coordinator.dispatch.tree import RunTree
from coordinator.plan.dirty import Facts
from coordinator.plan.planner import plan
from coordinator.scan.beyond import Beyond
from shared import hashing
from shared.clock import SystemClock
from shared.keys import state_beyond
from shared.model.action import Trace
from shared.model.graph import BuildGraph, Recipe
from shared.model.job import JobOrder, JobOutcome
from tests.fakes.performer import ScriptedPerformer
from tests.unit.coordinator.scheduler.bench import Bench

Script = Callable[[JobOrder], JobOutcome]


class Site:
    """A header of this machine, and a far and a near performer that say what they had in its place."""

    def __init__(self, home: Path) -> None:
        self.header = home / "usr/x.h"
        self.header.parent.mkdir()
        self.header.write_text("here")
        recipe = Recipe("cc:o", "cc", ("cc",), ("o",), ("in",), depfile="o.d", tools="tools")
        self.bench = Bench(home / "tree", [recipe], {"in": "1"})
        self.beyond = Beyond(home / "state")
        self.far, self.near = (ScriptedPerformer(self.bench.blobs, self.bench.results) for _ in range(2))

    def read(self, by: ScriptedPerformer, text: str | None, then: Callable[[], object] = lambda: None) -> None:
        path = str(self.header)

        def script(order: JobOrder) -> JobOutcome:
            outcome = by.succeed(order)
            assert outcome.result is not None
            state = "" if text is None else state_beyond([path], lambda _: hashing.of_bytes(text.encode()))
            result = msgspec.structs.replace(outcome.result, trace=Trace(beyond=(path,)), beyond=state)
            then()
            return msgspec.structs.replace(outcome, result=result)

        by.scripts["cc:o"] = script

    def run(self) -> RunReport:
        bench = self.bench
        graph, seen = BuildGraph(bench.recipes, platform="linux"), bench.snapshot()
        tree = RunTree(graph, seen, None)
        preparer = Preparer(
            tree=tree, blobs=bench.blobs, results=bench.results, root=bench.root, build="b", default_timeout=10.0,
            use_cache=True, settle=bench.settle, clock=SystemClock(), beyond=self.beyond,
        )  # fmt: skip
        return Scheduler(
            plan(Facts(graph, None, seen, diff(None, seen))), tree=tree, preparer=preparer,
            performer=lambda: self.far, here=lambda: self.near, settle=bench.settle, observer=bench.observer,
            clock=SystemClock(), alive=lambda: None, options=Options(),
        ).run()  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "tree").mkdir()
    return Site(tmp_path)


def test_equal_files_will_do(site: Site) -> None:
    site.read(site.far, "here")
    assert site.run().how == {"cc:o": "executed"}
    assert site.near.performed == []


def test_a_worker_with_other_files_has_its_job_repeated_here(site: Site) -> None:
    site.read(site.far, "there")
    site.read(site.near, "here")

    report = site.run()

    assert (site.far.performed, site.near.performed) == (["cc:o"], ["cc:o"])
    assert report.how == {"cc:o": "executed"} and site.bench.settled == ["o"]
    assert any("repeated here" in text and str(site.header) in text for text in site.bench.observer.warnings)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [(("1", "two"), "/b.h differs"), (("one", "two"), "/a.h and 1 more differ"), (("1", ""), "one of 2, ")],
)
def test_it_is_told_which_file_differs(tmp_path: Path, site: Site, theirs: tuple[str, str], told: str) -> None:
    paths = tuple(str(tmp_path / name) for name in ("a.h", "b.h"))
    for path, text in zip(paths, ("1", "2"), strict=True):
        Path(path).write_text(text)
    digests = [hashing.of_bytes(text.encode()) for text in theirs if text]

    def script(order: JobOrder) -> JobOutcome:
        outcome = site.far.succeed(order)
        assert outcome.result is not None
        result = msgspec.structs.replace(outcome.result, trace=Trace(beyond=paths), beyond="other")
        marks = "".join(digest[-4:] for digest in digests)
        return msgspec.structs.replace(outcome, result=result, marks=marks)

    site.far.scripts["cc:o"] = script

    site.run()

    assert any(f"{told}" in text for text in site.bench.observer.warnings), site.bench.observer.warnings


def test_what_differs_here_too_fails(site: Site) -> None:
    site.read(site.far, "there")
    site.read(site.near, "there")

    report = site.run()

    assert [failure.job for failure in report.failures] == ["cc:o"]
    assert "pin [toolchain] fingerprint" in report.failures[0].message


def test_a_file_that_changes_under_every_run_stops_nothing(site: Site) -> None:
    site.read(site.far, None)
    site.read(site.near, None)

    assert site.run().how == {"cc:o": "executed"}
    assert site.near.performed == ["cc:o"] and site.bench.settled == ["o"]


def test_a_file_that_changed_here_has_the_tree_looked_at_again(site: Site) -> None:
    site.beyond.held(str(site.header))
    site.read(site.far, "new", then=lambda: site.header.write_text("new"))

    with pytest.raises(SourceMoved, match=r"x\.h changed"):
        site.run()

    assert site.beyond.held(str(site.header)) == hashing.of_bytes(b"new")
