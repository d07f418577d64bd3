"""BuildRecord: what a build leaves for later: its plan, its progress, its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, Protocol

from coordinator.history import runs
from coordinator.history.archive import archive
from coordinator.history.runs import Before, FailedJob, ProgressWriter, RunStatus
from coordinator.progress import Failure, How
from shared import failpoint, hashing
from shared.clock import iso
from shared.errors import FarmError, LocalError
from shared.model.action import Output
from shared.model.event import ArtefactEvent, Event, InputEvent
from shared.model.graph import BuildGraph
from shared.model.plan import Plan

if TYPE_CHECKING:
    from coordinator.commit.base import Base
    from coordinator.dispatch.report import RunReport
    from coordinator.dispatch.tally import Tally
    from coordinator.history.eventlog import EventLog
    from shared.clock import Clock
    from shared.model.manifest import Manifest
    from shared.model.snapshot import Snapshot
    from shared.storage.compose import Stores

Change = Literal["added", "modified", "deleted"]
Status = Literal["executed", "reused", "failed", "skipped", "removed"]

LOG_END = 4000  # characters of a failed job's output that are kept with the run


class Recorded(Protocol):
    """The project of a build, as far as its records go."""

    @property
    def stores(self) -> Stores:
        """Where they are kept."""

    @property
    def name(self) -> tuple[str, str]:
        """Project and branch."""

    @property
    def clock(self) -> Clock:
        """What tells when things happened."""

    def event_log(self) -> EventLog:
        """Where its events go."""


class BuildRecord:
    """Observes one pass of a build that began at `began` (monotonic seconds); also writes its events.

    tally: what the build did before this pass. Plan and progress are written while the build goes on; `ran` raises
    StoreUnavailable when the plan cannot be kept.
    """

    def __init__(
        self, project: Recorded, plan: Plan, graph: BuildGraph, *, build: str, base: Base, began: float, tally: Tally
    ) -> None:
        self._project, self._plan, self._graph = project, plan, graph
        self._began, self._tally = began, tally
        self._build, self._base, self._revision = build, base, base.next_revision
        self._writer: ProgressWriter | None = None
        self._behind = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._planned: Future[None] | None = None
        self._log = project.event_log()
        self.reused: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.revision = 0  # that it committed

    def begin(self, snapshot: Snapshot, manifest: Manifest | None) -> None:
        """Keep the plan, the changed inputs, and the outputs that were written by hand."""
        project, refs = self._project, self._project.stores.refs
        self._planned = self._behind.submit(self._save_plan)
        self._writer = ProgressWriter(
            refs,
            project.clock,
            project=project.name[0],
            branch=project.name[1],
            revision=self._revision,
            base_revision=self._base.revision,
            build=self._build,
            jobs=self._plan.jobs,
            began=self._began,
            before=self._before(),
            behind=self._behind,
        )
        self._log.append([*self._inputs(snapshot), *self._values(), *self._edits(manifest)])
        failpoint.hit("events.inputs-told")

    def _save_plan(self) -> None:
        refs, name, revision = self._project.stores.refs, self._project.name, self._revision
        runs.save_plan(refs, *name, revision, runs.plan_record(self._plan, self._graph, revision))
        failpoint.hit("runs.plan-saved")

    def _before(self) -> Before:
        known = self._graph.recipes
        earlier = self._tally.earlier
        cost = sum(known[job].cost for job, _ in earlier if job in known)
        return Before(len(earlier), self._tally.seconds, cost)

    def _inputs(self, snapshot: Snapshot) -> Iterator[Event]:
        now, changes = iso(self._project.clock.now()), self._plan.changes
        kinds: tuple[tuple[Change, tuple[str, ...]], ...] = (
            ("added", changes.added),
            ("modified", changes.modified),
            ("deleted", changes.deleted),
        )
        for kind, paths in kinds:
            for path in paths:
                state = snapshot.sources.get(path)
                yield InputEvent(path, self._revision, state.hash if state else "", kind, self._build, now)

    def _values(self) -> Iterator[Event]:
        """The inputs of a blueprint whose value differs."""
        now = iso(self._project.clock.now())
        before, after = self._base.manifest.inputs if self._base.manifest else {}, self._graph.names.inputs
        for id_ in sorted({*before, *after}):
            was, value = before.get(id_, ""), after.get(id_, "")
            if was != value:
                change: Change = "added" if not was else "modified" if value else "deleted"
                yield InputEvent(id_, self._revision, value, change, self._build, now, what="value")

    def _edits(self, manifest: Manifest | None) -> Iterator[Event]:
        now = iso(self._project.clock.now())
        for path in self._plan.changes.edited:
            assert manifest is not None
            made = manifest.artefacts[path]
            key = manifest.jobs[made.job].key
            yield ArtefactEvent(
                path, self._revision, key, made.hash, made.size, "edited", made.job, self._build, now, "by hand"
            )

    # -- BuildObserver ------------------------------------------------------------------------------

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        """See BuildObserver."""

    def added(self, job: str) -> None:
        """See BuildObserver."""
        self.writer.added(job)

    def started(self, job: str, worker: str) -> None:
        """See BuildObserver."""
        self.writer.started(job)

    def finished(self, job: str, how: How, seconds: float) -> None:
        """See BuildObserver."""
        ran = how == "executed"
        if not ran:
            self.reused[how] += 1
        self.writer.done(job, executed=ran, seconds=seconds if ran else 0, cost=self._cost(job) if ran else 0)

    def said(self, job: str, text: str) -> None:
        """See BuildObserver."""

    def failed(self, failure: Failure) -> None:
        """See BuildObserver."""
        self.failures.append(failure)
        kept = failure.output[-LOG_END:] or failure.message
        self.writer.failed(FailedJob(failure.job, failure.exit_code, kept, self._keep_whole(failure.output)))

    def _keep_whole(self, output: str) -> str:
        """The blob that an output too long for the record is kept in, for `windrow log`; empty if there is none."""
        if len(output) <= LOG_END:
            return ""
        data = output.encode("utf-8", "replace")
        hash_ = hashing.of_bytes(data)
        try:
            self._project.stores.blobs.put(hash_, data)
        except (FarmError, LocalError):
            # What matters of that is told by whoever needs the store; the end of the output is in the record.
            return ""
        return hash_

    def skipped(self, job: str, because: str) -> None:
        """See BuildObserver."""
        self.writer.skipped(job)

    def remaking(self, text: str, why: str, command: str) -> int:
        """See BuildObserver."""
        return 2

    def warned(self, text: str) -> None:
        """See BuildObserver."""

    def _cost(self, job: str) -> float:
        return self._graph.recipes[job].cost

    @property
    def writer(self) -> ProgressWriter:
        """The progress of this build; AssertionError before `begin`."""
        assert self._writer is not None
        return self._writer

    # -- ends ---------------------------------------------------------------------------------------

    def ran(self, report: RunReport) -> None:
        """Log what came of the jobs. StoreUnavailable if the plan could not be kept."""
        if self._planned is not None:
            self._planned.result()
        for job in report.skipped:
            # Also those that nobody was told of, since the build stopped before it came to them.
            self.writer.skipped(job)
        self.writer.counted(executed=self._tally.executed, reused=len(self._tally.reused(report)))
        self._log.append(list(self._artefacts(report)))
        failpoint.hit("events.artefacts-told")

    def _artefacts(self, report: RunReport) -> Iterator[Event]:
        now = iso(self._project.clock.now())

        def event(
            path: str, job: str, status: Status, made: Output | None = None, *, key: str = "", why: str = ""
        ) -> Event:
            hash_, size = (made.hash, made.size) if made else ("", 0)
            spent = (report.results[job].timings.run, self._cost(job)) if status == "executed" else (0.0, 0.0)
            return ArtefactEvent(path, self._revision, key, hash_, size, status, job, self._build, now, why, *spent)

        for job, result in report.results.items():
            status: Status = "executed" if report.how[job] == "executed" else "reused"
            for made in result.outputs:
                yield event(made.path, job, status, made, key=result.key)
        for failure in report.failures:
            for path in self._graph.recipes[failure.job].outputs:
                yield event(path, failure.job, "failed", why=failure.message or f"exit {failure.exit_code}")
        for job in report.skipped:
            for path in self._graph.recipes[job].outputs:
                yield event(path, job, "skipped")
        made_before = self._base.manifest.artefacts if self._base.manifest else {}
        # What was made and is now written by hand is no artefact any more.
        taken_over = sorted(made_before.keys() & self._plan.changes.added)
        for path in (*self._plan.removed, *self._plan.forgotten, *taken_over):
            yield event(path, "", "removed")

    def archive(self, revision: int) -> tuple[str, ...]:
        """Note the revision made and move the events to its archive; what went wrong, since no build fails for it."""
        self.revision = revision
        self.writer.committed(revision)
        return archive(self._project.stores.refs, self._log, *self._project.name, revision)

    def end(self, status: RunStatus) -> None:
        """Note how the build ended."""
        if self._writer is not None:
            self._writer.end(status)

    def leave(self) -> None:
        """Another pass takes over, and writes its records in the place of these: none of them may come after."""
        self._behind.submit(lambda: None).result()

    def nothing_left(self) -> None:
        """Note that the build ended after this pass, since its sources were changed back."""
        self.writer.counted(executed=self._tally.executed, reused=0)
        self.end("no-changes")
