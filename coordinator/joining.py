"""The graph of a project, joined from all that makes recipes: rules, context rules, blueprint, build.ninja, tests."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

import msgspec

from coordinator.importers.declared import import_rules
from coordinator.importers.ninja.runs import ordered, undeclared
from coordinator.project import Project
from shared.errors import DependencyCycle
from shared.model.graph import BuildGraph, Names, Recipe
from shared.model.manifest import JobEntry, Manifest
from shared.model.snapshot import Snapshot

if TYPE_CHECKING:
    from coordinator.imported.build import ImportedBuild
    from coordinator.importers.ninja.graph import Imported
    from coordinator.python.code import PythonCode


def joined(
    project: Project, snapshot: Snapshot, manifest: Manifest | None = None, code: PythonCode | None = None
) -> BuildGraph:
    """The graph of a tree that was looked at; GraphError, ConfigError and ToolMissing as the parts raise them.

    The manifest tells what jobs read and took when they last ran. code: reads the tree's Python files, if it is not
    the one in the working copy.

    Rules see what context rules make as no source, and may read it as they do other rules' outputs; tests see what all
    others make. Edges of a build.ninja that go in circles are no error before somebody asks for them.
    """
    code = code or project.code
    try:
        return _joined(project, snapshot, manifest, code)
    except DependencyCycle:
        if project.imported is None or not project.imported.set_apart():
            raise
        return _joined(project, snapshot, manifest, code)


def _joined(project: Project, snapshot: Snapshot, manifest: Manifest | None, code: PythonCode | None) -> BuildGraph:
    recipes: list[Recipe] = []
    warnings: tuple[str, ...] = ()
    names, default = Names(), None
    jobs = manifest.jobs if manifest else {}
    if project.context is not None:
        context = project.context.recipes(snapshot)
        recipes += context.recipes
        warnings += context.warnings
    others: dict[str, list[str]] = {}
    for recipe in recipes:
        others.setdefault(recipe.rule, []).extend(recipe.outputs)
    declared = import_rules(
        project.settings,
        _without(snapshot, recipes),
        platform=project.tools.platform(),
        environ=project.environ,
        identity=project.tools.identity,
        others=others,
        **({"reaches": code.reaches(snapshot)} if code else {}),
    )
    recipes += declared.recipes.values()
    warnings = (*declared.warnings, *warnings)
    if project.blueprint is not None:
        expanded = project.blueprint.expanded(snapshot.sources)
        maker = {path: recipe.id for recipe in expanded.recipes for path in recipe.outputs}
        names = Names(
            aliases={id_: (maker[path],) for path, (id_, _) in expanded.artefacts.items() if path in maker},
            pools=dict(project.blueprint.blueprint.rates),
            artefacts=expanded.artefacts,
            inputs=expanded.inputs,
        )
        recipes += expanded.recipes
    imported = tests = None
    if project.imported is not None:
        imported = _imported(project, project.imported, snapshot, jobs)
        default = (*(recipe.id for recipe in recipes), *(imported.names.default or ()))
        names = msgspec.structs.replace(
            imported.names,
            aliases={**names.aliases, **imported.names.aliases},
            pools={**names.pools, **imported.names.pools},
            artefacts=names.artefacts,
            inputs=names.inputs,
        )
        recipes += ordered(imported.recipes, jobs)
        warnings += imported.warnings
    if code is not None and code.tests is not None:
        made = {path for recipe in recipes for path in recipe.outputs}
        tested = code.jobs(snapshot, made, jobs, project.tools.identity_of((code.tests.python,)))
        tests = tested.mapped
        names = msgspec.structs.replace(
            names, aliases={**names.aliases, **{test: (job,) for test, job in tests.jobs.items()}}
        )
        default = None if default is None else (*default, *(recipe.id for recipe in tested.recipes))
        recipes += tested.recipes
        if project.recording:
            recipes += code.recordings(snapshot, made, project.tools.identity_of((code.tests.python,)))
        warnings += tested.warnings
    if imported is None and tests is None and len(recipes) == len(declared.recipes):
        return declared
    return BuildGraph(
        recipes,
        platform=declared.platform,
        fingerprint=project.made_from(),
        warnings=warnings,
        names=msgspec.structs.replace(names, default=default),
        also=undeclared(imported.recipes, jobs) if imported else None,
        tests=tests,
    )


def _imported(project: Project, build: ImportedBuild, snapshot: Snapshot, jobs: Mapping[str, JobEntry]) -> Imported:
    """What the build file comes to; what its jobs made besides is no source, though somebody wrote it over."""
    imported = build.recipes(snapshot, project.tools.identity_of, project.environ, project.made_from())
    written = {path for entry in jobs.values() for path in entry.also if path in snapshot.sources}
    if not written:
        return imported
    # Only now it is known which jobs there still are.
    also = {path for paths in undeclared(imported.recipes, jobs).values() for path in paths}
    left = _but(snapshot, written & also)
    return build.recipes(left, project.tools.identity_of, project.environ, project.made_from())


def _without(snapshot: Snapshot, recipes: list[Recipe]) -> Snapshot:
    """A tree without what some recipes make."""
    return _but(snapshot, {path for recipe in recipes for path in recipe.outputs})


def _but(snapshot: Snapshot, made: Set[str]) -> Snapshot:
    if made.isdisjoint(snapshot.sources):
        return snapshot
    kept = {path: state for path, state in snapshot.sources.items() if path not in made}
    return msgspec.structs.replace(snapshot, sources=kept)
