"""Plans and progress of builds, for `status`, `builds` and the dashboard."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from coordinator import refnames
from shared import canonical
from shared.clock import Clock, iso
from shared.errors import FarmError, LocalError
from shared.model.graph import BuildGraph
from shared.model.manifest import revision_name
from shared.model.plan import Plan, Reason
from shared.storage.refs import RefStore
from shared.storage.run_records import surplus

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

UPDATE_SECONDS = 2.0
_PROGRESS = "-progress.json"
# Writing progress may take this part of a build's time.
_SHARE = 0.02

RunStatus = Literal["running", "ok", "failed", "interrupted", "no-changes"]
JobState = Literal["waiting", "running", "failed", "skipped"]


class PlanJob(msgspec.Struct, frozen=True):
    """A planned job and why it must run."""

    job: str
    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reasons: tuple[Reason, ...]


class PlanRecord(msgspec.Struct, frozen=True):
    """`runs/rev-0002-plan.json`: equal plans have equal bytes."""

    revision: str
    base_revision: str | None
    layers: tuple[tuple[PlanJob, ...], ...]
    preserved: tuple[str, ...]
    removed_outputs: tuple[str, ...]
    estimated_seconds: float
    work_seconds: float = 0.0
    schema: str = "windrow.plan/1"


class FailedJob(msgspec.Struct, frozen=True):
    """A job that failed, and the end of what it printed; output: the blob of all of it, where that is more."""

    job: str
    exit_code: int
    log: str = ""
    output: str = ""


class Progress(msgspec.Struct, frozen=True):
    """`runs/rev-0002-progress.json`: how a build stands. jobs: those not done yet, by state. Times are ISO 8601.

    revision: what it was to commit; committed tells whether it did.

    All of a build counts, also when its sources changed under it and it planned anew; planned is what the last plan
    held. seconds: how long the build has taken. job_seconds, cost: of the jobs that it executed.
    """

    build: str
    project: str
    branch: str
    revision: str
    base_revision: str | None
    status: RunStatus
    host: str
    pid: int
    planned: int
    started: str
    updated: str
    executed: int = 0
    reused: int = 0
    jobs: dict[str, JobState] = {}
    failures: tuple[FailedJob, ...] = ()
    finished: str = ""
    seconds: float = 0.0
    job_seconds: float = 0.0
    cost: float = 0.0
    committed: bool = False
    schema: str = "windrow.progress/1"

    @property
    def failed(self) -> int:
        """How many jobs failed."""
        return len(self.failures)

    @property
    def skipped(self) -> int:
        """How many jobs could not run because another failed."""
        return sum(state == "skipped" for state in self.jobs.values())


class Before(NamedTuple):
    """What a build executed before its sources changed under it: how many jobs, what they took and cost."""

    executed: int = 0
    seconds: float = 0.0
    cost: float = 0.0


class Runs(NamedTuple):
    """Runs newest first, and what of the records could not be read."""

    runs: tuple[Progress, ...]
    problems: tuple[str, ...]


def plan_record(plan: Plan, graph: BuildGraph, revision: int) -> PlanRecord:
    """The record of a plan."""

    def job(id_: str) -> PlanJob:
        recipe = graph.recipes[id_]
        return PlanJob(id_, recipe.rule, recipe.inputs, recipe.outputs, plan.jobs[id_].reasons)

    return PlanRecord(
        revision=revision_name(revision),
        base_revision=revision_name(plan.base_revision) if plan.base_revision else None,
        layers=tuple(tuple(job(id_) for id_ in layer) for layer in plan.layers),
        preserved=plan.preserved,
        removed_outputs=plan.removed,
        estimated_seconds=plan.estimated_seconds,
        work_seconds=plan.work_seconds,
    )


def save_plan(refs: RefStore, project: str, branch: str, revision: int, record: PlanRecord) -> str:
    """Store a plan; its name. StoreUnavailable."""
    name = refnames.run(project, branch, revision, "plan")
    refs.write(name, canonical.encode(record))
    return name


class ProgressWriter:
    """Keeps the progress record of a build up to date, not more often than is useful. Thread-safe.

    began: when the build did, by the monotonic clock; None for now. before: what it did under an earlier plan.
    behind: a thread that writes meanwhile, one record after the other; the last is waited for.
    A store that does not take it never disturbs the build: `problem` holds what it said last.
    """

    def __init__(  # noqa: PLR0913 - whose progress it is
        self,
        refs: RefStore,
        clock: Clock,
        *,
        project: str,
        branch: str,
        revision: int,
        base_revision: int,
        build: str,
        jobs: Iterable[str],
        began: float | None = None,
        before: Before = Before(),  # noqa: B008 - immutable
        every: float = UPDATE_SECONDS,
        behind: Executor | None = None,
    ) -> None:
        self._refs, self._clock, self._every = refs, clock, every
        self._behind = behind
        self._written: Future[None] | None = None
        self._name = refnames.run(project, branch, revision, "progress")
        self._whose = (project, branch, revision)
        self._next = clock.monotonic()
        self._began = self._next if began is None else began
        self._guard = threading.Lock()
        self._jobs: dict[str, JobState] = dict.fromkeys(jobs, "waiting")
        self._failures: list[FailedJob] = []
        self._counts = {"executed": before.executed, "reused": 0}
        self._spent = (before.seconds, before.cost)
        self.problem = ""
        now = iso(clock.now())
        self._record = Progress(
            build=build,
            project=project,
            branch=branch,
            revision=revision_name(revision),
            base_revision=revision_name(base_revision) if base_revision else None,
            status="running",
            host=os.uname().nodename,
            pid=os.getpid(),
            planned=len(self._jobs),
            started=iso(clock.now() - (self._next - self._began)),
            updated=now,
        )
        self._update()

    def added(self, job: str) -> None:
        """Count a job that joined the plan."""
        with self._guard:
            self._jobs[job] = "waiting"
            self._record = msgspec.structs.replace(self._record, planned=self._record.planned + 1)
        self._update()

    def started(self, job: str) -> None:
        """Note that a job runs."""
        self._set(job, "running")

    def done(self, job: str, *, executed: bool, seconds: float = 0.0, cost: float = 0.0) -> None:
        """Note that a job is done, by running it or from a result; what running it took and cost."""
        with self._guard:
            self._jobs.pop(job, None)
            self._spent = (self._spent[0] + seconds, self._spent[1] + cost)
            self._counts["executed" if executed else "reused"] += 1
        self._update()

    def counted(self, *, executed: int, reused: int) -> None:
        """Note how many jobs the whole build has executed and reused, as told when all is known."""
        with self._guard:
            self._counts = {"executed": executed, "reused": reused}

    def committed(self, revision: int) -> None:
        """Note the revision made: not the one expected, where a build that died left a manifest of that number."""
        with self._guard:
            self._record = msgspec.structs.replace(self._record, revision=revision_name(revision), committed=True)

    def failed(self, failure: FailedJob) -> None:
        """Note that a job failed."""
        with self._guard:
            self._failures.append(failure)
        self._set(failure.job, "failed")

    def skipped(self, job: str) -> None:
        """Note that a job cannot run."""
        self._set(job, "skipped")

    def end(self, status: RunStatus) -> None:
        """Write how the build ended: if it failed, also where the next build does not write over it."""
        self._update(status)
        if self._written is not None:
            self._written.result()
        if status in ("failed", "interrupted") and not self._record.committed:
            self._guarded(self._keep)

    def _keep(self) -> None:
        project, branch, revision = self._whose
        for name in surplus(self._refs.names(refnames.runs(project, branch)), room=1):
            self._refs.delete(name)
        name = refnames.ended(project, branch, revision, self._record.started, self._record.build)
        self._refs.write(name, msgspec.json.encode(self._record))

    def _set(self, job: str, state: JobState) -> None:
        with self._guard:
            self._jobs[job] = state
        self._update()

    def _update(self, status: RunStatus = "running") -> None:
        with self._guard:
            begun = self._clock.monotonic()
            late = self._written is not None and not self._written.done()
            if status == "running" and (begun < self._next or late):
                return
            now = iso(self._clock.now())
            record = msgspec.structs.replace(
                self._record,
                status=status,
                updated=now,
                finished="" if status == "running" else now,
                jobs=self._jobs,
                failures=tuple(self._failures),
                seconds=round(begun - self._began, 3),
                job_seconds=round(self._spent[0], 6),
                cost=round(self._spent[1], 6),
                **self._counts,
            )
            self._record = record
            data = msgspec.json.encode(record)
            if self._behind is None:
                self._write(data)
            else:
                self._written = self._behind.submit(self._write, data)
            ended = self._clock.monotonic()
            self._next = ended + max(self._every, (ended - begun) / _SHARE)

    def _write(self, data: bytes) -> None:
        self._guarded(lambda: self._refs.write(self._name, data))

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (FarmError, LocalError) as error:
            self.problem = f"the progress of this build is not recorded: {error.what}"


def list_runs(refs: RefStore, project: str, branch: str, *, limit: int = 20, holder: str | None = None) -> Runs:
    """The latest runs; one that says it is running, while `holder` (a build) is another, was interrupted."""
    names = [name for name in refs.names(refnames.runs(project, branch)) if not name.endswith("-plan.json")]
    # Of one number the progress is that of the latest build.
    names.sort(key=lambda name: (refnames.revision_of(name) or 0, name.endswith(_PROGRESS), name), reverse=True)
    runs: dict[str, Progress] = {}
    problems: list[str] = []
    for name in names:
        if len(runs) + len(problems) >= limit:
            break
        record = refs.read(name)
        if record is None:
            continue
        try:
            run = msgspec.json.decode(record.data, type=Progress)
        except msgspec.MsgspecError as error:
            problems.append(f"{name} cannot be read: {error}")
            continue
        if run.status == "running" and holder is not None and holder != run.build:
            run = msgspec.structs.replace(run, status="interrupted")
        runs.setdefault(run.build, run)
    return Runs(tuple(runs.values()), tuple(problems))


def failed_jobs(refs: RefStore, project: str, branch: str) -> dict[str, str]:
    """Job to build, for the jobs that failed in the latest run."""
    latest = list_runs(refs, project, branch, limit=1).runs
    return {failure.job: run.build for run in latest for failure in run.failures}


class PastPlan(NamedTuple):
    """A plan of an earlier build, with its jobs by id."""

    revision: str
    jobs: dict[str, PlanJob]


def find_plan(
    refs: RefStore, project: str, branch: str, job: str, *, revision: int, limit: int = 100
) -> PastPlan | None:
    """The latest kept plan that a job was in, up to that of a revision: a later one came to nothing."""
    names = [name for name in refs.names(refnames.runs(project, branch)) if name.endswith("-plan.json")]
    numbered = sorted(((refnames.revision_of(name) or 0, name) for name in names), reverse=True)
    for name in [name for number, name in numbered if number <= revision][:limit]:
        record = refs.read(name)
        if record is None:
            continue
        try:
            plan = msgspec.json.decode(record.data, type=PlanRecord)
        except msgspec.MsgspecError:
            # An unreadable record explains nothing; an older one may.
            continue
        jobs = {planned.job: planned for layer in plan.layers for planned in layer}
        if job in jobs:
            return PastPlan(plan.revision, jobs)
    return None
