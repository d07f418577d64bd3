"""What must run: a pure function of graph, manifest and change set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from coordinator.plan.dirty import Facts, mark
from coordinator.plan.layers import expected_seconds, layers_of, priorities
from shared.errors import DependencyCycle, GraphError, UnknownTarget
from shared.model.graph import BuildGraph
from shared.model.plan import Plan, PlannedJob


def plan(facts: Facts, *, base_hash: str = "", targets: Iterable[str] = ()) -> Plan:
    """The plan for these facts, narrowed to what the targets need; UnknownTarget for a name nothing answers to."""
    graph, manifest = facts.graph, facts.manifest
    reasons = mark(facts)
    targets = tuple(targets)
    _refuse_circles(graph, targets or ("",))
    wanted = _wanted(graph, targets)
    _refuse_absent(graph, targets or ("",))
    outside: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    if wanted is not None:
        outside = frozenset(graph.recipes.keys() - wanted)
        stale = outside & reasons.keys()
        reasons = {id_: why for id_, why in reasons.items() if id_ in wanted}
    _refuse_missing(graph, graph.names.missing, graph.recipes if wanted is None else wanted)
    _refuse_missing(graph, graph.names.missing_before, reasons)
    _refuse_wrong_deps(graph, reasons)
    layers = layers_of(graph, reasons)
    expected = expected_seconds(graph, manifest, reasons)
    priority = priorities(graph, layers, expected)
    jobs = {
        id_: PlannedJob(id_, graph.recipes[id_].rule, number, reasons[id_], expected[id_])
        for number, layer in enumerate(layers)
        for id_ in layer
    }
    made_before = manifest.artefacts if manifest else {}
    stored = {path for path, made in made_before.items() if made.stored}
    # What nobody makes any more is removed, unless it has been written by hand since.
    kept = (graph.producer, graph.names.circles, facts.snapshot.sources)
    gone = sorted(path for path in {*made_before, *facts.left} if not any(path in place for place in kept))
    return Plan(
        base_revision=manifest.revision if manifest else 0,
        base_hash=base_hash,
        layers=layers,
        jobs=jobs,
        priority=priority,
        changes=facts.changes,
        removed=() if targets else tuple(path for path in gone if path not in stored),
        forgotten=() if targets else tuple(path for path in gone if path in stored),
        preserved=tuple(sorted(id_ for id_ in graph.recipes if id_ not in jobs)),
        estimated_seconds=max(priority.values(), default=0.0) if any(expected.values()) else 0.0,
        work_seconds=sum(expected.values()),
        outside=outside,
        stale=stale,
    )


def up_to(plan: Plan, layer: int | None) -> Plan:
    """The plan cut after a layer (numbered from 0); None for all of it."""
    if layer is None:
        return plan
    layers = plan.layers[: layer + 1]
    kept = {id_ for group in layers for id_ in group}
    return msgspec.structs.replace(
        plan, layers=layers, jobs={id_: job for id_, job in plan.jobs.items() if id_ in kept}, removed=(), forgotten=()
    )


def _wanted(graph: BuildGraph, targets: tuple[str, ...]) -> set[str] | None:
    """The jobs asked for and all they need; None for every job."""
    if targets:
        return graph.closure(select(graph, targets))
    return None if graph.names.default is None else graph.closure(graph.names.default)


def _refuse_circles(graph: BuildGraph, names: Iterable[str]) -> None:
    around = next((graph.names.circles[name] for name in names if name in graph.names.circles), None)
    if around is not None:
        raise DependencyCycle(f"dependency cycle: {around}", fix="take one of these inputs out")


def _refuse_absent(graph: BuildGraph, names: Iterable[str]) -> None:
    for name in names:
        if name in graph.names.absent:
            path, needer = graph.names.absent[name]
            raise GraphError(
                f"'{path}', needed by '{needer}', missing and no known rule to make it",
                fix="bring the file back, or generate the build files anew",
            )


def _refuse_missing(graph: BuildGraph, missing: Mapping[str, tuple[str, str]], ids: Collection[str]) -> None:
    for id_ in sorted(missing.keys() & set(ids)) if missing else ():
        (path, needer), recipe = missing[id_], graph.recipes[id_]
        raise GraphError(
            # The words of ninja, which people search for.
            f"'{path}', needed by '{needer}', missing and no known rule to make it",
            at=recipe.at,
            why=f"rule '{recipe.rule}' names it as an input",
            fix="bring the file back, or generate the build files anew",
        )


def _refuse_wrong_deps(graph: BuildGraph, ids: Collection[str]) -> None:
    for id_ in sorted(graph.names.wrong_deps.keys() & set(ids)) if graph.names.wrong_deps else ():
        raise GraphError(
            # The words of ninja, which finds out once the command has run.
            graph.names.wrong_deps[id_],
            at=graph.recipes[id_].at,
            why=f"`deps` of the edge, or of its rule '{graph.recipes[id_].rule}', tell how what it reads is found",
            fix="say `deps = gcc` with a `depfile`, `deps = msvc` for what /showIncludes prints, or leave it out",
        )


def select(graph: BuildGraph, targets: Iterable[str]) -> Collection[str]:
    """The recipe ids that targets name: an output path or another name, a rule, an id, or a glob over these paths."""
    rules: dict[str, list[str]] = {}
    for recipe in graph.recipes.values():
        rules.setdefault(recipe.rule, []).append(recipe.id)
    chosen: dict[str, None] = {}
    for target in targets:
        name = target.removeprefix("./")
        found: Collection[str]
        if name in graph.producer:
            found = [graph.producer[name]]
        elif name in graph.names.aliases:
            chosen.update(dict.fromkeys(graph.names.aliases[name]))
            continue
        elif name in graph.recipes:
            found = [name]
        elif name in rules:
            found = rules[name]
        else:
            made = {id_ for path, id_ in graph.producer.items() if fnmatchcase(path, name)}
            called = (ids for alias, ids in graph.names.aliases.items() if fnmatchcase(alias, name))
            found = sorted(made.union(*called))
        if not found:
            raise _unknown(graph, rules, name)
        chosen.update(dict.fromkeys(found))
    return chosen


def _unknown(graph: BuildGraph, rules: Iterable[str], name: str) -> UnknownTarget:
    import difflib  # noqa: PLC0415 - only for a typo

    names = [*graph.producer, *graph.names.aliases, *rules]
    # A path from another folder, or a name without its folder, is meant more often than a typo.
    close = [path for path in graph.producer if path.endswith(f"/{name}") or name.endswith(f"/{path}")][:3]
    close = close or difflib.get_close_matches(name, names, n=3)
    return UnknownTarget(
        f"no target '{name}'",
        why="a target is an output path from the project's root, a job's id, a rule's name, or a glob over outputs",
        fix=f"did you mean {', '.join(close)}?" if close else "windrow plan --full lists every job",
    )
