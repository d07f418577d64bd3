"""Survey: how the tree stands to the manifest, and what must run because of it. Reads, writes nothing shared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from coordinator.commit.base import Base
from coordinator.commit.left import placed
from coordinator.diff import diff, reclaim, sift
from coordinator.edits import overlaid, with_edits
from coordinator.joining import joined
from coordinator.plan.dirty import Facts
from coordinator.plan.planner import plan, select
from coordinator.project import Project
from coordinator.request import Question
from coordinator.scan.scanner import Scan, scan
from shared.errors import GraphError
from shared.model.changes import ChangeSet
from shared.model.graph import BuildGraph
from shared.model.manifest import Manifest
from shared.model.plan import Plan
from shared.model.snapshot import Snapshot
from shared.model.tests import TEST_RULE
from shared.settings_keys import PROJECT_FILE


class Survey(msgspec.Struct, frozen=True):
    """The answer. graph is None when nothing differs: it need not be made then.

    manifest: that of the base, with what was written over outputs by hand in the place of what was made. placed: path
    to digest of what builds put into the workspace and the base does not have. remade: why a build would first make its
    build.ninja anew, and plan by that.
    """

    base: Base
    manifest: Manifest | None
    scan: Scan
    snapshot: Snapshot
    changes: ChangeSet
    plan: Plan
    graph: BuildGraph | None = None
    warnings: tuple[str, ...] = ()
    placed: Mapping[str, str] = {}
    remade: str = ""

    def left(self, gone: Collection[str] = ()) -> dict[str, str]:
        """What of that is there and no recipe makes any more, but for what is gone."""
        made = {*(self.graph.producer if self.graph else ()), *gone} if self.placed else ()
        there = self.snapshot.outputs
        return {path: hash_ for path, hash_ in self.placed.items() if path in there and path not in made}


def survey(
    project: Project, base: Base, question: Question, *, differing: Callable[[ChangeSet], None] | None = None
) -> Survey:
    """Scan, diff and plan against a base. Raises GraphError, ConfigError, LocalError before anything runs.

    differing: told what the scan found to differ, before there is a graph.
    """
    settings, manifest = project.settings, base.manifest
    imported = project.imported
    if imported is not None:
        imported.load_late()
    named = (*(imported.named() if imported else ()), *(project.blueprint.files() if project.blueprint else ()))
    made = {path for path, artefact in manifest.artefacts.items() if not artefact.stored} if manifest else set()
    known = manifest.sources if manifest else {}
    put = {path: hash_ for path, hash_ in placed(settings.state_dir).items() if path not in known}
    entered = imported.searched() if imported else ()
    scanned = scan(settings, made.union(put), verify=question.verify, named=named, entered=entered)
    looked = overlaid(scanned.snapshot, project.pending)
    looked = imported.unmade(looked) if imported else looked
    noticed = imported.noticed if imported else _all
    changes = diff(manifest, noticed(looked, known))
    if question.download == "none" and imported:
        changes = msgspec.structs.replace(changes, missing=())
    made_from = project.made_from()
    lost = project.lost(manifest)
    beyond = project.beyond_changed(manifest)
    strays = looked.outputs.keys() - made if put else ()
    at_rest = not (changes or lost or beyond or strays or question.full or question.targets or question.all_tests)
    if at_rest and manifest and manifest.graph == made_from and manifest.rests:
        nothing = Plan(manifest.revision, base.manifest_hash, (), {}, {}, changes, preserved=tuple(manifest.jobs))
        return Survey(base, manifest, scanned, looked, changes, nothing, None, scanned.warnings)
    if differing is not None:
        differing(changes)
    written = reclaim(manifest, looked, put)
    graph = joined(project, written, manifest)
    _refuse_overwriting(looked, graph, manifest)
    here = {path for path, id_ in graph.producer.items() if not graph.recipes[id_].stored}
    more = scanned.look(here.difference(written.outputs))
    snapshot = sift(msgspec.structs.replace(written, outputs={**written.outputs, **more}), graph.producer)
    edited, before = with_edits(manifest, graph, snapshot, put)
    changes = msgspec.structs.replace(diff(edited, noticed(snapshot, known)), edited=tuple(sorted(before)))
    if question.download != "all" and imported:
        kept = wanted_here(graph, question)
        changes = msgspec.structs.replace(changes, missing=tuple(path for path in changes.missing if path in kept))
    facts = Facts(
        graph=graph,
        manifest=edited,
        edited=before,
        snapshot=snapshot,
        changes=changes,
        full=question.full,
        forced=frozenset({TEST_RULE}) if question.all_tests else frozenset(),
        lost=lost,
        beyond=beyond,
        failed=project.failed_before(),
        left=frozenset(put.keys() & snapshot.outputs.keys()),
    )
    planned = plan(facts, base_hash=base.manifest_hash, targets=question.targets)
    warnings = [
        f"kept {path}: no rule makes it any more, but it was changed since it was built"
        for path in sorted((manifest.artefacts if manifest else {}).keys() & changes.added)
    ]
    said = (*scanned.warnings, *graph.warnings, *warnings)
    return Survey(base, edited, scanned, snapshot, changes, planned, graph, said, put)


def wanted_here(graph: BuildGraph, question: Question) -> frozenset[str]:
    """The outputs that are to be in the workspace, where not all are."""
    if question.download == "none":
        return frozenset()
    ids = select(graph, question.targets) if question.targets else graph.names.default or ()
    recipes = (graph.recipes[id_] for id_ in ids)
    return frozenset(path for recipe in recipes for path in (*recipe.outputs, *recipe.kept_depfile))


def _all(snapshot: Snapshot, _known: Collection[str]) -> Snapshot:
    return snapshot


def _refuse_overwriting(snapshot: Snapshot, graph: BuildGraph, manifest: Manifest | None) -> None:
    """A rule may not make what a revision has as a source; left-overs that no revision has are fair game."""
    committed: Mapping[str, object] = manifest.sources if manifest else {}
    for path, maker in graph.producer.items():
        if path in snapshot.sources and (path in committed or path == PROJECT_FILE):
            recipe = graph.recipes[maker]
            if path in recipe.kept_depfile:
                continue  # left by an earlier build, when the edge did not say so
            raise GraphError(
                f"output {path} would overwrite a source",
                at=recipe.at,
                why=f"rule '{recipe.rule}' makes {path}, which is a file of the project "
                + ("since an earlier revision" if path in committed else "itself"),
                fix=f"give the rule another output, or delete {path}",
            )
