"""Marks the recipes that must run, each with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import msgspec

from coordinator.keying.beyond import BeyondSets
from coordinator.keying.candidates import Candidates
from coordinator.keying.texts import noted_texts
from shared.model.action import Trace
from shared.model.changes import ChangeSet
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import JobEntry, Manifest
from shared.model.plan import (
    RESTORING,
    AlwaysRuns,
    BlobLost,
    CommandChanged,
    EnvironmentChanged,
    FailedBefore,
    Forced,
    InputAdded,
    InputChanged,
    InputRemoved,
    NeverBuilt,
    OutputAltered,
    OutputMissing,
    Reason,
    ToolchainChanged,
    Upstream,
)
from shared.model.snapshot import Snapshot


class Facts(msgspec.Struct, frozen=True):
    """What marking goes by.

    full, forced: mark every job, or those of these rules. lost: output paths whose blob is gone. failed: job id to the
    build it failed in. edited: outputs that were written by hand and are so in the manifest, with the digest each had
    before. beyond: files outside the tree that the manifest has with another digest, and what they hold now. left:
    outputs in the workspace that builds put there and the manifest does not have. sources_only: the manifest tells
    of sources and not of outputs, so none was left out.
    """

    graph: BuildGraph
    manifest: Manifest | None
    snapshot: Snapshot
    changes: ChangeSet
    full: bool = False
    forced: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    failed: Mapping[str, str] = {}
    edited: Mapping[str, str] = {}
    beyond: Mapping[str, str] = {}
    left: frozenset[str] = frozenset()
    sources_only: bool = False


def mark(facts: Facts) -> dict[str, tuple[Reason, ...]]:
    """Recipe id to reasons, in an order in which every recipe comes after those it needs."""
    marker = _Marker(facts)
    marked: dict[str, tuple[Reason, ...]] = {}
    spreading: set[str] = set()
    for id_ in sorted(facts.graph.recipes, key=lambda id_: (facts.graph.depth[id_], id_)):
        reasons = (*marker.own_reasons(id_), *marker.upstream(id_, spreading))
        if not reasons:
            continue
        if failed_in := facts.failed.get(id_):
            reasons = (*reasons, FailedBefore(failed_in))
        marked[id_] = reasons
        # An output that is only gone from the workspace comes back as the same bytes.
        if any(not isinstance(reason, RESTORING) for reason in reasons):
            spreading.add(id_)
    return marked


class _Marker:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.graph = facts.graph
        self.entries: Mapping[str, JobEntry] = facts.manifest.jobs if facts.manifest else {}
        changes = facts.changes
        self.modified = frozenset(changes.modified)
        self.deleted = frozenset(changes.deleted)
        self.outputs_off = frozenset((*changes.missing, *changes.altered))
        self.missing = frozenset(changes.missing)
        self.made = facts.manifest.artefacts if facts.manifest else {}
        self.stored = frozenset(path for path, made in self.made.items() if made.stored)
        self.candidates = Candidates(facts.snapshot.sources)
        self.edited = facts.edited
        self.beyond_sets = BeyondSets(facts.manifest)
        self._beyond: dict[str, list[tuple[str, Reason]]] = {"": []}
        # Which files a job could come by depends on the graph and on which paths there are, not on what they hold.
        before = facts.manifest.graph if facts.manifest and facts.manifest.rests else ""
        self.same_paths = bool(before) and before == self.graph.fingerprint and not (changes.added or changes.deleted)

    def own_reasons(self, id_: str) -> Iterator[Reason]:
        """Reasons that do not come from another recipe."""
        recipe, entry = self.graph.recipes[id_], self.entries.get(id_)
        if self.facts.full or recipe.rule in self.facts.forced:
            yield Forced()
        if entry is None:
            yield NeverBuilt()
            return
        if recipe.always:
            yield AlwaysRuns()
        yield from self._definition(recipe, entry)
        # A file may be both declared and seen to be read; it differs once.
        yield from dict.fromkeys(self._inputs(recipe, entry))
        yield from self._outputs(recipe, entry)

    def _definition(self, recipe: Recipe, entry: JobEntry) -> Iterator[Reason]:
        if (recipe.argv, recipe.outputs, recipe.depfile, recipe.cwd, noted_texts(recipe.files), recipe.notes) != (
            entry.argv,
            entry.outputs,
            entry.depfile,
            entry.cwd,
            entry.files,
            entry.notes,
        ):
            yield CommandChanged(was=_told(entry), now=_told(recipe))
        if recipe.env != entry.env:
            was, now = dict(entry.env), dict(recipe.env)
            for name in sorted({*was, *now}):
                if was.get(name) != now.get(name) or (name in was) != (name in now):
                    yield EnvironmentChanged(name, was.get(name), now.get(name))
        if (tools := recipe.tools or self.graph.platform) != entry.platform:
            yield ToolchainChanged(was=entry.platform, now=tools)

    def _inputs(self, recipe: Recipe, entry: JobEntry) -> Iterator[Reason]:
        trace = entry.trace or Trace()
        if recipe.inputs != entry.inputs:
            before, after = frozenset(entry.inputs), frozenset(recipe.inputs)
            yield from (InputAdded(path) for path in sorted(after - before))
            yield from (InputRemoved(path) for path in sorted(before - after))
        for read in (recipe.inputs, trace.used):
            if not self.modified.isdisjoint(read):
                yield from (self._changed(path) for path in read if path in self.modified)
        for read in (recipe.inputs, trace.used):
            if not self.deleted.isdisjoint(read):
                yield from (InputRemoved(path) for path in read if path in self.deleted)
        if self.edited:
            for path in recipe.inputs:
                if path in self.edited:
                    yield InputChanged(path, was=self.edited[path], now=self.made[path].hash)
        if recipe.outside != entry.outside:
            yield from _beyond(dict(entry.outside), dict(recipe.outside))
        if self.facts.beyond:
            named = dict(recipe.outside)
            yield from (why for path, why in self._changed_beyond(entry.beyond) if path not in named)
        if (recipe.tells or trace.listed) and not self.same_paths:
            # A file that was passed over may still have been asked after (`__has_include`): gone counts too.
            known, now = entry.unread, self.candidates.unread(recipe, trace)
            if known != now:
                yield from (InputAdded(path) for path in now if path not in known)
                yield from (InputRemoved(path) for path in known if path not in now)

    def _changed(self, path: str) -> Reason:
        assert self.facts.manifest is not None
        was, now = self.facts.manifest.sources[path], self.facts.snapshot.sources[path]
        return InputChanged(path, was=was.hash, now=now.hash)

    def _changed_beyond(self, name: str) -> list[tuple[str, Reason]]:
        """What differs of a set of files outside the tree; told once for all jobs that read the same."""
        assert self.facts.manifest is not None
        if name not in self._beyond:
            was, now = self.facts.manifest.beyond, self.facts.beyond
            self._beyond[name] = [
                (path, InputChanged(path, was=was[path], now=now[path]) if now[path] else InputRemoved(path))
                for path in self.beyond_sets.paths(name)
                if path in now
            ]
        return self._beyond[name]

    def _outputs(self, recipe: Recipe, entry: JobEntry) -> Iterator[Reason]:
        if recipe.loose and not self.facts.sources_only:
            for path in recipe.outputs:
                if path not in self.made:
                    within = [one for one in entry.also if one.startswith(f"{path}/")]
                    if not within:
                        yield AlwaysRuns(path)
                    elif not self.missing.isdisjoint(within):
                        yield OutputMissing(path)  # a folder that is not whole
            if recipe.keeps_depfile:
                yield from (AlwaysRuns(path) for path in recipe.kept_depfile if path not in self.made)
        if not self.outputs_off.isdisjoint(recipe.outputs):
            for path in recipe.outputs:
                if path in self.outputs_off:
                    yield OutputMissing(path) if path in self.missing else OutputAltered(path)
        for path in recipe.kept_depfile if recipe.keeps_depfile else ():  # most have none
            if path in self.outputs_off and self.made[path].job == recipe.id:
                yield OutputMissing(path) if path in self.missing else OutputAltered(path)
        if not recipe.stored and recipe.outputs and recipe.outputs[0] in self.stored:
            # It was for the store alone, and now the workspace wants it.
            yield from (OutputMissing(path) for path in recipe.outputs if path not in self.facts.snapshot.outputs)
        if not self.facts.lost.isdisjoint(recipe.outputs):
            yield from (BlobLost(path) for path in recipe.outputs if path in self.facts.lost)

    def upstream(self, id_: str, spreading: Set[str]) -> Iterator[Reason]:
        """The recipes it reads from whose outputs may come out anew."""
        needs = self.graph.dependencies[id_]
        if not spreading or spreading.isdisjoint(needs):
            return
        recipe, entry = self.graph.recipes[id_], self.entries.get(id_)
        read: Set[str] = frozenset(recipe.inputs)
        if (recipe.tells or recipe.loose) and entry is not None:
            # A candidate that the last run did not read cannot change this one.
            read = frozenset((*recipe.inputs, *(entry.trace or Trace()).used, *entry.unread))
        elif recipe.loose:
            read = frozenset((*recipe.inputs, *recipe.candidates, *recipe.after))
        elif recipe.tells:
            read = frozenset((*recipe.inputs, *recipe.candidates))
        for need in needs:
            if need in spreading and not read.isdisjoint(self.graph.made_by(need)):
                yield Upstream(need)


def _told(of: Recipe | JobEntry) -> tuple[str, ...]:
    """A command in words: what is run, and the response files it is given."""
    return (*of.argv, *(text for _, text in noted_texts(of.files)))


def _beyond(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Reason]:
    """How files outside the tree differ."""
    yield from (InputRemoved(path) for path in sorted(before.keys() - after.keys()))
    for path in sorted(after):
        if path not in before:
            yield InputAdded(path)
        elif before[path] != after[path]:
            yield InputChanged(path, was=before[path], now=after[path])
