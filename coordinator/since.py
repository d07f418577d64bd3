"""What differs since a revision or a git commit, and which jobs and tests that affects. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from coordinator.commit import base as bases
from coordinator.commit.left import placed
from coordinator.diff import diff, reclaim, sift
from coordinator.git_tree import GitTree
from coordinator.joining import joined
from coordinator.keying.texts import noted_texts
from coordinator.plan.dirty import Facts
from coordinator.plan.planner import plan
from coordinator.project import Project
from coordinator.scan.categories import Categories
from coordinator.scan.scanner import scan
from shared.errors import ConfigError, GraphError, UnknownTarget
from shared.model.action import Trace
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import JobEntry, Manifest, revision_number
from shared.model.plan import Plan
from shared.model.snapshot import Snapshot
from shared.settings_keys import PROJECT_FILE
from shared.settings_load import load

_REVISION = re.compile(r"rev-\d+")


class Since(msgspec.Struct, frozen=True):
    """The answer: what is affected as a plan, with the graph it is a plan of. base: how the point in time is called."""

    base: str
    plan: Plan
    graph: BuildGraph
    warnings: tuple[str, ...] = ()


def since(project: Project, ref: str) -> Since:
    """What differs between the tree and a revision (`rev-0001`) or a git commit; UnknownTarget for neither.

    Content decides, of files as they are now, committed to git or not.
    """
    settings = project.settings
    committed = project.load_base().manifest
    known = committed.sources if committed else {}
    put = {path: hash_ for path, hash_ in placed(settings.state_dir).items() if path not in known}
    scanned = scan(settings, {*(committed.artefacts if committed else ()), *put})
    snapshot = reclaim(committed, scanned.snapshot, put)
    warnings = list(scanned.warnings)
    if _REVISION.fullmatch(ref):
        found = bases.read_manifest(project.stores.refs, *project.name, revision_number(ref))
        if found is None:
            raise UnknownTarget(f"no revision {ref}", why=f"of project {project.name[0]}", fix="windrow builds")
        graph = joined(project, snapshot, committed)
        before, name = msgspec.structs.replace(found, artefacts={}), ref
    else:
        git = GitTree(settings.root, ref, project.environ.get("PATH", ""))
        then, given = _then(git, snapshot, project)
        graph = joined(project, snapshot, committed)
        name = git.commit
        try:
            was = _graph_then(project, then, given)
        except (ConfigError, GraphError) as error:
            warnings.append(f"what {ref} built cannot be told, so everything counts as affected: {error.what}")
            was = None
        before = _as_manifest(was, then, committed)
    snapshot = sift(snapshot, graph.producer)
    before = msgspec.structs.replace(
        before, sources={path: state for path, state in before.sources.items() if path not in graph.producer}
    )
    looked = project.imported.noticed(snapshot, before.sources) if project.imported else snapshot
    changes = diff(before, looked)
    facts = Facts(graph=graph, manifest=before, snapshot=snapshot, changes=changes, sources_only=True)
    return Since(name, plan(facts), graph, (*warnings, *graph.warnings))


def _then(git: GitTree, snapshot: Snapshot, project: Project) -> tuple[Snapshot, dict[str, bytes]]:
    states, given = git.states(snapshot.sources)
    categories = Categories(project.settings.categories)
    sources = {
        path: state if path in snapshot.sources else msgspec.structs.replace(state, category=categories.of(path))
        for path, state in states.items()
    }
    links = {
        path: given[state.hash].decode()
        for path, state in sources.items()
        if state.mode == "link" and state.hash in given
    }
    sources.update(_configured(git, snapshot, project, sources))
    kept = {path: text for path, text in snapshot.links.items() if path in sources and path not in links}
    return Snapshot(sources=sources, outputs={}, links={**kept, **links}), given


def _configured(
    git: GitTree, snapshot: Snapshot, project: Project, then: Mapping[str, FileState]
) -> dict[str, FileState]:
    """What lies in the folder of a build.ninja, or git ignores, and no commit has: it is taken to be what it was.

    CMake and Meson write it. What they would have written for that commit only they can tell.
    """
    ninja = project.settings.ninja
    if ninja is None:
        return {}
    unknown = [path for path in snapshot.sources if path not in then]
    beside = git.ignored(unknown) if not ninja.cwd else {path for path in unknown if path.startswith(f"{ninja.cwd}/")}
    return {path: snapshot.sources[path] for path in beside}


def _graph_then(project: Project, then: Snapshot, given: dict[str, bytes]) -> BuildGraph | None:
    """The graph of the tree as it was, by the settings that it had; None for a tree without a windrow.toml."""
    told = then.sources.get(PROJECT_FILE)
    if told is None:
        return None
    settings = project.settings
    if told.hash in given:
        settings = load(settings.root, flags={}, environ=project.environ, as_if=given[told.hash])
    was = Project(settings, environ=project.environ, clock=project.clock, stores=project.stores)
    # What a blueprint and its inputs said then.
    was.pending = {path: given[state.hash] for path, state in then.sources.items() if state.hash in given}
    code = None
    if was.code:
        from coordinator.python.code import PythonCode  # noqa: PLC0415 - only where there is code to read

        code = PythonCode(settings, project.environ, given)
    return joined(was, then, None, code)


def _as_manifest(graph: BuildGraph | None, then: Snapshot, committed: Manifest | None) -> Manifest:
    """The manifest that a build of that tree would have left, as far as can be told without one."""
    platform = graph.platform if graph else ""

    def entry(recipe: Recipe) -> JobEntry:
        known = committed.jobs.get(recipe.id) if committed else None
        read = recipe.inputs if recipe.depfile is None else tuple(sorted({*recipe.inputs, *recipe.candidates}))
        return JobEntry(
            rule=recipe.rule,
            key="",
            argv=recipe.argv,
            outputs=recipe.outputs,
            inputs=recipe.inputs,
            env=recipe.env,
            depfile=recipe.depfile,
            trace=known.trace if known and known.trace else Trace(used=read),
            unread=known.unread if known else (),
            platform=recipe.tools or platform,
            cwd=recipe.cwd,
            files=noted_texts(recipe.files),
            outside=recipe.outside,
        )

    jobs = {id_: entry(recipe) for id_, recipe in graph.recipes.items()} if graph else {}
    return Manifest(project="", branch="", revision=0, sources=dict(then.sources), jobs=jobs, artefacts={})
