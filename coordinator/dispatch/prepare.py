"""Prepares a job: finds a result that fits its present inputs, or writes the order to perform it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import msgspec

from coordinator.dispatch.elsewhere import FilesBeyond, ReadElsewhere
from coordinator.dispatch.tree import RunTree
from coordinator.dispatch.uploads import SourceMoved, Uploads
from coordinator.keying.beyond import BeyondSets
from coordinator.keying.candidates import Candidates
from coordinator.keying.keys import action_keys, primary_of
from coordinator.progress import How
from shared.clock import Clock
from shared.errors import BlobMissing
from shared.keys import rooted, shadowing
from shared.model.action import Action, ActionResult, Input, Output, Timings, Trace
from shared.model.graph import Recipe
from shared.model.job import JobOrder
from shared.model.manifest import JobEntry
from shared.model.path import lacking
from shared.relocation import local_result, local_trace
from shared.storage.blobs import BlobStore
from shared.storage.carried import carried
from shared.storage.results import Results, Source

# The kind of an action that runs in the workspace itself; nothing of it is kept for others.
WORKSPACE = "workspace"
# The pool whose jobs have the terminal, one at a time.
CONSOLE = "console"


class Reuse(msgspec.Struct, frozen=True):
    """A result that fits, and where it was found."""

    result: ActionResult
    how: How


class Given(msgspec.Struct, frozen=True):
    """What a job gets besides its own inputs because a run asked for it: paths, or the whole tree."""

    paths: tuple[str, ...] = ()
    tree: bool = False


# The paths that a compile could read, as far as can be told from its command and from the files there are now.
Includes = Callable[[Recipe, RunTree], Iterable[str]]
Paths = Callable[[], Iterable[str]]


class Preparer:
    """Thread-safe: jobs are prepared in a pool while others run.

    settle: has the workspace hold what a result says, and tells which store it came from; None when it was there.
    BlobMissing if any of it is gone, also of what the workspace does not hold. wanted: whether it is to hold any of it.
    keep_depfiles: also those that are taken in; a result that came without is none then.
    """

    def __init__(  # noqa: PLR0913 - what it goes by
        self,
        *,
        tree: RunTree,
        blobs: BlobStore,
        results: Results,
        root: Path,
        build: str,
        default_timeout: float,
        use_cache: bool,
        fresh: frozenset[str] = frozenset(),
        again: frozenset[str] = frozenset(),
        settle: Callable[[ActionResult], Source | None],
        wanted: Callable[[Recipe], bool] = lambda _recipe: True,
        clock: Clock,
        includes: Includes = lambda recipe, _tree: recipe.candidates,
        beyond: FilesBeyond | None = None,
        keep_depfiles: bool = False,
    ) -> None:
        self.beyond, self.keep_depfiles = beyond, keep_depfiles
        self._sets = BeyondSets(tree.manifest)
        self.includes = includes
        self.tree, self.blobs, self.results, self.root = tree, blobs, results, root
        self.build, self.default_timeout, self.use_cache = build, default_timeout, use_cache
        self.fresh, self.again = fresh, again  # rules, and jobs, that are to run, whatever is stored
        self.settle, self.wanted = settle, wanted
        self.candidates = Candidates(tree.snapshot.sources)
        self._sources = tuple(sorted(tree.snapshot.sources))
        self._uploads = Uploads(blobs, root, self._was)
        self._clock = clock

    def prepare(
        self, job: str, *, attempt: int, force: bool, given: Given | None, sure: bool = False
    ) -> Reuse | JobOrder:
        """A settled result, or an order whose inputs are in the store.

        force: what a result names is gone, do not look for it. sure: no result may stand for it. Raises SourceMoved
        when a source no longer holds what was scanned.
        """
        recipe = self._recipe(job)
        again = force or not self.use_cache or job in self.again
        forced = again or sure or recipe.rule in self.fresh
        # A scan of includes, which costs more than the rest: once a job.
        could_read = cache(lambda: tuple(self._could_read(recipe)))
        looked = 0.0
        if not forced and given is None and _reusable(recipe):
            reuse, looked = self._look_up(recipe, could_read)
            if reuse is not None:
                return reuse
        action = self._action(recipe, given, could_read)
        sent = self._upload(action) if action.kind != WORKSPACE else []
        return JobOrder(
            build=self.build,
            job=job,
            attempt=attempt,
            action=action,
            timeout=recipe.timeout or self.default_timeout,
            no_cache=forced,
            again=again,
            looked=looked,
            kept=not recipe.always,
            wanted=self.wanted(recipe),
            carried=carried(self.blobs, {i.hash: i.size for i in action.inputs if i.hash in sent}) if sent else {},
        )

    def _recipe(self, job: str) -> Recipe:
        recipe = self.tree.graph.recipes[job]
        if self.keep_depfiles and recipe.depfile is not None and recipe.loose:
            recipe = msgspec.structs.replace(recipe, keeps_depfile=True)
        if recipe.loose and (within := {one for path in recipe.inputs for one in self.tree.within(path)}):
            # To need a folder is to need what was made in it, all of it: which files there are is seen by no trace.
            recipe = msgspec.structs.replace(recipe, inputs=tuple(sorted(within.union(recipe.inputs))))
        return recipe

    def _look_up(self, recipe: Recipe, could_read: Paths) -> tuple[Reuse | None, float]:
        """A result that fits; else when there was none, or 0 where one lacks bytes, which may be there by and by."""
        began = self._clock.now()
        entry = self._entry(recipe.id)
        graph = self.tree.graph
        shadows = self._shadows(recipe, could_read)
        find, link, own = self.tree.find, self.tree.link, self._sets.trace(entry)

        def traces(trace_key: str) -> Iterator[Trace]:
            if entry is not None and own is None and not recipe.tells and not recipe.loose:
                # It did not need more than its rule names, and hardly does now: the store is not asked for it.
                return iter(())
            return (local_trace(trace, recipe.root) for trace in self.results.traces(trace_key))

        keys = action_keys(recipe, graph.platform, find, shadows, own, traces, link, self._state)
        for key, trace in chain(self._unscanned(recipe, entry, own), keys):
            for reuse in self._found(entry, key, trace, recipe.root):
                if recipe.loose and _left_out(recipe, reuse.result):
                    continue
                try:
                    brought = self.settle(reuse.result)
                except BlobMissing:
                    # Its bytes are gone or damaged: make it again, unless they are stored again with its inputs.
                    began = 0.0
                    continue
                if reuse.how == "cut_off" and brought is not None:
                    # The manifest knew it, but the workspace did not have it: a store did.
                    return Reuse(reuse.result, brought), 0.0
                return reuse, 0.0
        return None, began

    def _unscanned(self, recipe: Recipe, entry: JobEntry | None, own: Trace | None) -> Iterator[tuple[str, Trace]]:
        """The key of the last run, if every file there is of the names it asked for was there: spares it a scan."""
        if entry is None or own is None or recipe.finds != "includes" or own.listed or "*" in own.probes:
            return
        read = {*recipe.inputs, *own.used}
        if self.tree.names_only(own.probes, read):
            return  # its key takes no scan
        tree, there = self.tree, read.union(self.tree.named(own.probes))
        everywhere = action_keys(
            recipe, tree.graph.platform, tree.find, lambda _trace: there, own, lambda _key: (), tree.link, self._state
        )
        key, trace = next(everywhere, ("", None))
        if trace is own and entry.key in (key, rooted(key, recipe.root) if recipe.root else key):
            yield key, own

    def _state(self, paths: tuple[str, ...]) -> str:
        return "" if self.beyond is None else self.beyond.state(paths)

    def refuse_elsewhere(self, result: ActionResult, *, again: bool, marks: str = "") -> None:
        """ReadElsewhere if a run read files outside the tree that hold something else here; see docs/design/keys.md.

        again: it was repeated on this machine for that; what still changes under it is its own doing.
        marks: see JobOutcome.
        """
        paths = result.trace.beyond if result.trace is not None else ()
        if not paths or self.beyond is None or result.beyond == self.beyond.state(paths):
            return
        if not result.beyond:
            if again:
                return
            raise ReadElsewhere("a file outside the project changed while it ran", moved=True)
        if changed := self.beyond.changed(paths):
            raise SourceMoved(f"{changed[0]} changed while the build ran")
        differing = self.beyond.differing(paths, marks)
        which = f"one of {len(paths)}, {paths[0]} to {paths[-1]}, differs"
        if differing:
            which = differing[0] + (f" and {len(differing) - 1} more differ" if len(differing) > 1 else " differs")
        raise ReadElsewhere(
            f"{result.worker} has not the files outside the project that this machine has: {which} "
            "(give both the same packages, or pin [toolchain] fingerprint)"
        )

    def _shadows(self, recipe: Recipe, could_read: Paths) -> Callable[[Trace], list[str]]:
        """What could be found instead of what a trace asked for: among what a run would be given, as in its key."""
        if recipe.finds != "includes":
            return lambda trace: self.candidates.shadowing(recipe, trace)
        given: list[str] = []

        def shadows(trace: Trace) -> list[str]:
            read = {*recipe.inputs, *trace.used}
            if not trace.listed and self.tree.names_only(trace.probes, read):
                # Whatever a scan of includes came by, it would be none of these names.
                return shadowing(trace, read)
            if not given:
                given.extend(path for path in could_read() if self.tree.find(path) is not None)
            return shadowing(trace, {*recipe.inputs, *given, *trace.used})

        return shadows

    def _found(self, entry: JobEntry | None, key: str, trace: Trace | None, root: str) -> Iterator[Reuse]:
        """What is known under a key, or under the one of results that hold the path of the tree."""
        names = (key, rooted(key, root)) if root else (key,)
        # The manifest is at hand; a store may be far away.
        for find in (lambda name: self._known(entry, name, trace), lambda name: self._stored(name, root)):
            yield from filter(None, map(find, names))

    def _known(self, entry: JobEntry | None, key: str, trace: Trace | None) -> Reuse | None:
        """The manifest's own outputs, when the job's inputs turn out to be what they were."""
        manifest = self.tree.manifest
        if entry is None or manifest is None or entry.key != key:
            return None
        made = [(path, manifest.artefacts.get(path)) for path in (*entry.outputs, *entry.also)]
        outputs = tuple(Output(path, a.hash, a.size, a.mode, a.target) for path, a in made if a is not None)
        if len(outputs) != len(made) and not set(entry.outputs).issuperset(path for path, a in made if a is None):
            return None
        if lacking(entry.outputs, {output.path for output in outputs}):
            return None
        took = Timings(run=entry.seconds)
        return Reuse(ActionResult(key=key, outputs=outputs, trace=trace, timings=took), "cut_off")

    def _stored(self, key: str, root: str) -> Reuse | None:
        hit = self.results.get(key, whole=False)
        return Reuse(local_result(hit.result, root), hit.source) if hit else None

    def _entry(self, job: str) -> JobEntry | None:
        return self.tree.manifest.jobs.get(job) if self.tree.manifest else None

    def _action(self, recipe: Recipe, given: Given | None, could_read: Paths) -> Action:
        """The action a recipe is now: what it reads by its rule, by its last run, and what a run asked for."""
        find = self.tree.find
        primary = primary_of(recipe, find, self.tree.link)
        inputs: dict[str, Input] = {state.path: state for state in primary}
        for path in could_read():
            state = find(path)
            if state is not None:
                inputs[path] = state
        declared = set(inputs)
        entry = self._entry(recipe.id)
        trace = (entry.trace if entry else None) or Trace()
        tree = given.tree if given else trace.tree
        if recipe.finds == "tree":
            tree = True
        # An earlier run may have left them in the tree: what counts is what this command brings along, tells, or makes.
        # Some that go by times would find all of one age, and leave what they made before as it is.
        producer = self.tree.graph.producer
        own = {recipe.depfile, *(path for path, _ in recipe.files)}
        wanted = (
            *trace.used,
            *recipe.libraries,
            *(given.paths if given else ()),
            *(self.tree.besides(recipe) if recipe.loose and recipe.finds == "declared" else ()),
            *((*self._sources, *self.tree.found) if tree else ()),
        )
        for path in wanted:
            if path in inputs or path in own or producer.get(path) == recipe.id:
                continue
            if (state := find(path)) is not None:
                inputs[path] = state
        extra = () if tree else tuple(sorted(set(inputs) - declared))
        if tree and recipe.loose:
            # What other jobs make is there as well; it counts only if it is read.
            made = [path for path in self.tree.made_for(recipe.id) if path not in inputs]
            inputs.update({path: state for path in made if (state := find(path)) is not None})
            extra = tuple(path for path in made if path in inputs)
        found_links = ((path, self.tree.link(path)) for path in sorted(inputs) if inputs[path].mode == "link")
        return Action(
            kind=WORKSPACE if recipe.place == "workspace" else recipe.kind,
            argv=recipe.argv,
            env=recipe.env,
            outputs=recipe.outputs,
            depfile=recipe.depfile,
            platform=self.tree.graph.platform,
            inputs=tuple(inputs[path] for path in sorted(inputs)),
            primary=tuple(state.path for state in primary),
            extra=extra,
            tools=recipe.tools,
            links={path: text for path, text in found_links if text is not None},
            tree=tree,
            root=recipe.root,
            cwd=recipe.cwd,
            mounts=recipe.mounts,
            files=recipe.files,
            loose=recipe.loose,
            observed=recipe.loose and not recipe.tells and recipe.finds != "declared",
            outside=recipe.outside,
            libraries=recipe.libraries,
            notes=recipe.notes,
            keeps_depfile=recipe.keeps_depfile,
            console=recipe.place == "workspace" and recipe.pool == CONSOLE,
        )

    def _could_read(self, recipe: Recipe) -> Iterable[str]:
        """What a recipe is given besides its own inputs, because it may read it."""
        if recipe.finds != "includes":
            return recipe.candidates
        return self.includes(recipe, self.tree)

    def bring(self, edited: Iterable[str]) -> None:
        """Store outputs that were written by hand; SourceMoved when one changed since."""
        states = [state for path in edited if (state := self.tree.find(path)) is not None]
        self._uploads.ensure({state.hash: state.path for state in states})

    def _upload(self, action: Action) -> list[str]:
        """Have the store hold an action's sources; digests of those that it lacked, unless it is on this machine."""
        sources = self.tree.snapshot.sources
        return self._uploads.ensure({i.hash: i.path for i in action.inputs if i.mode != "link" and i.path in sources})

    def _was(self, path: str, hash_: str) -> bool:
        """Whether a file was this in the last revision."""
        known = self.tree.manifest.sources.get(path) if self.tree.manifest else None
        return known is not None and known.hash == hash_

    @property
    def bytes_up(self) -> int:
        """Bytes of sources that went to the remote store."""
        return self._uploads.moved

    def forget(self, hash_: str) -> None:
        """A blob turned out not to be there: look again before the next job that needs it."""
        self._uploads.forget(hash_)

    def close(self) -> None:
        """Nothing more is prepared."""
        self._uploads.close()


def _reusable(recipe: Recipe) -> bool:
    """Whether a stored result may stand for a run."""
    return recipe.kind != "noop" and recipe.place != "workspace" and not recipe.always


def _left_out(recipe: Recipe, result: ActionResult) -> bool:
    """Whether a result lacks an output: such a job is never up to date."""
    made = {output.path for output in result.outputs}
    return bool(lacking((*recipe.outputs, *recipe.kept_depfile), made))
