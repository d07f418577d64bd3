"""Matches what a command asked for and was not given against the files the tree has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from coordinator.dispatch.prepare import Given
from coordinator.dispatch.states import JobRun
from coordinator.dispatch.table import JobTable
from coordinator.dispatch.tree import RunTree
from shared.model.job import JobOutcome

MOST = 64


class Again(NamedTuple):
    """A job is to be repeated: with what, and after which jobs."""

    given: Given
    after: frozenset[str]

    @property
    def named(self) -> str:
        """A few of the paths, for people."""
        return ", ".join(self.given.paths[:3])


def asked_for(run: JobRun, outcome: JobOutcome, tree: RunTree, runs: JobTable) -> Again | None:
    """What a job lacked that the tree has, or, for an imported one, that a job still to be done makes.

    ninja leaves it to luck whether a file that no edge names is made in time; None if nothing fits.
    """
    if run.given is not None or not outcome.wanted or run.order is None:
        return None
    recipe, graph = tree.graph.recipes[run.id], tree.graph
    had = {item.path for item in run.order.action.inputs}
    there: Iterable[str] = tree.all_paths() if recipe.loose else tree.snapshot.sources
    if recipe.place == "workspace" and outcome.status == "executed":
        there = ()  # it ran among all of it, and read what it names; only of what is made yet it read too old a state
    found = match_wanted(outcome.wanted, (path for path in there if path not in had))
    after: frozenset[str] = frozenset()
    if recipe.loose:
        coming = (path for path, maker in graph.producer.items() if runs.is_open(maker) and maker != run.id)
        makers = {path: graph.producer[path] for path in match_wanted(outcome.wanted, coming)}
        late = [
            path
            for path, maker in makers.items()
            if run.id not in graph.closure([maker]) and not runs.waits(maker, run.id)
        ]
        after = frozenset(makers[path] for path in late)
        found = (*late, *(path for path in found if path not in late))
    # One that failed may want more than it complained of.
    return Again(Given(paths=found, tree=recipe.tells and outcome.status == "failed"), after) if found else None


def match_wanted(wanted: Iterable[str], sources: Iterable[str]) -> tuple[str, ...]:
    """The sources a command may have meant, sorted: those of that very path, or that end with it.

    `gen.h` may mean `include/gen.h`; a name that fits more than 64 files says nothing and matches none.
    """
    asked = {name.removeprefix("./").lstrip("/") for name in wanted} - {""}
    by_base: dict[str, list[str]] = {}
    for name in asked:
        by_base.setdefault(name.rpartition("/")[2], []).append(name)
    found: dict[str, list[str]] = {}
    for path in sources:
        for name in by_base.get(path.rpartition("/")[2], ()):
            if path == name or path.endswith("/" + name):
                found.setdefault(name, []).append(path)
    return tuple(sorted({path for paths in found.values() if len(paths) <= MOST for path in paths}))
