"""Folds what came of a build into the next manifest. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial

import msgspec

from coordinator.keying.beyond import BeyondSets, BeyondTable
from coordinator.keying.candidates import Candidates
from coordinator.keying.texts import noted_texts
from shared.model.action import ActionResult, Output, Trace
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import Artefact, JobEntry, Manifest
from shared.model.path import lacking
from shared.model.plan import RESTORING, Plan
from shared.model.snapshot import Snapshot


def fold(
    base: Manifest | None,
    *,
    graph: BuildGraph,
    snapshot: Snapshot,
    results: Mapping[str, ActionResult],
    plan: Plan,
    stale: AbstractSet[str] = frozenset(),
    beside: Callable[[str], bool] | None = None,
    beyond: Callable[[str], str] = lambda _path: "",
) -> Manifest:
    """The draft of the next manifest; `publish` says whose it is and numbers it.

    A job is as its result says, or else as the base has it. Left out are jobs that the graph no longer has, jobs
    that were planned and did not succeed, and `stale` ones: out of date, but not asked for by this build.
    beside: whether a source is kept only if some job reads it. beyond: what a file outside the tree holds.
    """
    jobs: dict[str, JobEntry] = {}
    artefacts: dict[str, Artefact] = {}
    candidates = Candidates(snapshot.sources)
    table, sets = BeyondTable(beyond), BeyondSets(base)
    for id_, recipe in graph.recipes.items():
        result = results.get(id_)
        if result is not None:
            jobs[id_] = _entry(recipe, result, graph, candidates, table)
            for made in result.outputs:
                artefacts[made.path] = _artefact(made, recipe, graph, base)
        elif base is not None and id_ in base.jobs and id_ not in stale and _untouched(id_, plan):
            entry, layer = base.jobs[id_], graph.depth[id_]
            table.name(sets.paths(entry.beyond))
            jobs[id_] = entry if entry.layer == layer else msgspec.structs.replace(entry, layer=layer)
            _carry(base, id_, artefacts, stored=recipe.stored)
    if base is not None:
        for id_ in _waiting_for_removal(base, graph, snapshot, plan):
            # It will not run again, whatever becomes of what it read.
            jobs[id_] = msgspec.structs.replace(base.jobs[id_], beyond="")
            _carry(base, id_, artefacts)
        remade = {output.path for result in results.values() for output in result.outputs}
        for path in (artefacts.keys() & snapshot.sources.keys()) - remade:
            # Nobody makes it any more, and somebody has written it by hand since.
            del artefacts[path]
    sources = snapshot.sources if beside is None else _kept(snapshot, jobs, beside)
    if not sources.keys().isdisjoint(artefacts):
        # Left from a build that nobody knew of, and made now.
        sources = {path: state for path, state in sources.items() if path not in artefacts}
    return Manifest(
        project="",
        branch="",
        revision=0,
        sources=sources,
        rests=not any(entry.always for entry in jobs.values()) and jobs.keys() >= graph.wanted(),
        jobs=jobs,
        artefacts=artefacts,
        graph=graph.fingerprint,
        ingested=base.ingested if base is not None else {},
        inputs=dict(graph.names.inputs),
        beyond=table.files(),
        beyond_sets=table.sets(),
    )


def _entry(
    recipe: Recipe, result: ActionResult, graph: BuildGraph, candidates: Candidates, table: BeyondTable
) -> JobEntry:
    made = frozenset(output.path for output in result.outputs)
    trace = result.trace or Trace()
    plain = not recipe.tells and not trace.listed
    return JobEntry(
        rule=recipe.rule,
        key=result.key,
        argv=recipe.argv,
        outputs=recipe.outputs,
        inputs=recipe.inputs,
        env=recipe.env,
        depfile=recipe.depfile,
        notes=recipe.notes,
        trace=msgspec.structs.replace(trace, beyond=()) if trace.beyond else result.trace,
        unread=() if plain else candidates.unread(recipe, trace),
        platform=recipe.tools or graph.platform,
        layer=graph.depth[recipe.id],
        seconds=result.timings.run,
        cwd=recipe.cwd,
        files=noted_texts(recipe.files),
        outside=recipe.outside,
        also=tuple(sorted(made.difference(recipe.outputs))),
        always=recipe.always or bool(lacking((*recipe.outputs, *recipe.kept_depfile), made)),
        cost=recipe.cost,
        beyond=table.name(trace.beyond),
    )


def _artefact(made: Output, recipe: Recipe, graph: BuildGraph, base: Manifest | None) -> Artefact:
    id_, type_ = graph.names.artefacts.get(made.path, ("", ""))
    before = base.artefacts.get(made.path) if base is not None else None
    edited = before is not None and before.edited and before.hash == made.hash
    return Artefact(
        made.hash, made.size, recipe.id, made.mode, made.target, stored=recipe.stored, id=id_, type=type_, edited=edited
    )


def _kept(snapshot: Snapshot, jobs: Mapping[str, JobEntry], beside: Callable[[str], bool]) -> dict[str, FileState]:
    read: set[str] = set()
    for entry in jobs.values():
        read.update(entry.inputs)
        if entry.trace is not None:
            read.update(entry.trace.used)
    return {path: state for path, state in snapshot.sources.items() if path in read or not beside(path)}


def _untouched(id_: str, plan: Plan) -> bool:
    """Whether a job without a result is as the base has it: not planned, or only to bring its outputs back."""
    planned = plan.jobs.get(id_)
    return planned is None or all(isinstance(reason, RESTORING) for reason in planned.reasons)


def _carry(base: Manifest, id_: str, artefacts: dict[str, Artefact], *, stored: bool | None = None) -> None:
    for path in (*base.jobs[id_].outputs, *base.jobs[id_].also):
        made = base.artefacts.get(path)
        if made is not None and made.job == id_:
            changed = stored is not None and stored != made.stored
            artefacts[path] = msgspec.structs.replace(made, stored=stored) if changed else made


def _waiting_for_removal(base: Manifest, graph: BuildGraph, snapshot: Snapshot, plan: Plan) -> list[str]:
    """Jobs that are gone from the graph, whose outputs this build (of some targets only) does not remove."""
    settled = (graph.producer, snapshot.sources, frozenset((*plan.removed, *plan.forgotten)))
    return [
        id_
        for id_, entry in base.jobs.items()
        if id_ not in graph.recipes and any(not any(path in place for place in settled) for path in entry.outputs)
    ]


def repeats(base: Manifest | None, draft: Manifest) -> bool:
    """Whether a draft would only repeat its base, as when outputs were brought back to the workspace."""
    if base is None:
        return False
    if (base.graph, base.jobs.keys()) != (draft.graph, draft.jobs.keys()):
        return False
    if (base.sources, base.artefacts, base.beyond) != (draft.sources, draft.artefacts, draft.beyond):
        return False
    # How long a job took is no part of what a revision is; most entries are the base's own.
    timeless = partial(msgspec.structs.replace, seconds=0.0)
    pairs = ((entry, draft.jobs[id_]) for id_, entry in base.jobs.items())
    return all(entry is again or timeless(entry) == timeless(again) for entry, again in pairs)
