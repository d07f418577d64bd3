"""One build from lock to commit: scan, diff, plan, then attempts at the plan until the tree held still."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, cast

import msgspec

from coordinator.atrest import at_rest, remember
from coordinator.commit import materialise
from coordinator.commit.base import Base
from coordinator.commit.left import forget_placed
from coordinator.edits import write_pending
from coordinator.lock import workspace
from coordinator.lock.lease import Lease, me
from coordinator.progress import BuildObserver
from coordinator.project import Project
from coordinator.report import BuildReport, InterruptedBuild
from coordinator.request import Request
from coordinator.survey import Survey, survey
from shared.calls import KIND
from shared.errors import BrokerUnavailable, Conflict, Interrupted, LockHeld
from shared.model.changes import ChangeSet
from shared.model.plan import AlwaysRuns

if TYPE_CHECKING:
    from coordinator.attempt import Attempt, Tally

SURVEYS = 4


def look(project: Project, request: Request) -> Survey:
    """What a build would do now; takes no lock and writes nothing."""
    seen = survey(project, project.load_base(), request.question)
    if project.imported is None:
        return seen
    from coordinator.imported.regenerate import Regeneration  # noqa: PLC0415 - only for projects with a build.ninja

    return msgspec.structs.replace(seen, remade=Regeneration(project.imported).due(keep=False))


def build(project: Project, request: Request, observer: BuildObserver) -> BuildReport:
    """Build what must be built and commit it.

    Raises LockHeld, Conflict, FarmError, LocalError, UsageError; failed jobs are in the report. Whatever
    is raised, nothing half-made is shared, and what finished is found again by the next build. Interrupted once
    jobs have begun it raises InterruptedBuild, with what it did.
    """
    began = project.clock.monotonic()
    name = os.urandom(3).hex()
    told = at_rest(project, request) if not project.pending and request.base is None else None
    remade = request.remade
    if told is not None and told.get("asks") and not remade:
        told, remade = None if regenerate(project, request, observer.remaking) else told, True
    if told is not None:
        return _still(project, told, name, project.clock.monotonic() - began)
    project.tools.look_ahead()
    _clear_up(project, request)
    if not remade:
        regenerate(project, request, observer.remaking)
    if project.context is not None:
        request = project.context.heed(request, observer.warned)
    if project.imported is not None:
        from coordinator.rounds import in_rounds  # noqa: PLC0415 - only for projects with a build.ninja

        return in_rounds(project.imported, request, lambda asked: _build(project, asked, observer, name, began))
    return _build(project, request, observer, name, began)


def _build(project: Project, request: Request, observer: BuildObserver, name: str, began: float) -> BuildReport:
    with project.calls_ahead() as start:
        seen = survey(project, project.load_base(), request.question, differing=partial(_foresee, project, start))
        _refuse_other(request, seen.base)
        if not seen.plan:
            return _nothing(project, request, seen, observer, name, project.clock.monotonic() - began)
        start(_first_calls(seen))
        project.get_ready(0 if request.require_cached else _sure(seen))
        return _run(project, request, observer, seen, name, began)


def _run(
    project: Project, request: Request, observer: BuildObserver, seen: Survey, name: str, began: float
) -> BuildReport:
    # Only now: a build with nothing to do must not pay for all that runs jobs.
    from coordinator.attempt import Attempt, SourceMoved, Tally  # noqa: PLC0415

    with _held(project, request, name, seen.base) as lease:
        wrote = write_pending(project)
        materialise.sweep(project.settings.root, project.settings.state_dir, seen.snapshot.outputs)
        tally = Tally()
        tended = project.context is not None and project.context.ignore()
        before: Attempt | None = None
        told = ""
        for attempt in range(SURVEYS):
            base = project.load_base(seen.base)
            _refuse_other(request, base)
            if attempt or tended or wrote or base.tag != seen.base.tag:
                # Somebody committed while this build waited, or a source changed under it.
                seen = survey(project, base, request.question)
                if not seen.plan:
                    if before is not None:
                        before.record.nothing_left()
                    seconds = project.clock.monotonic() - began
                    return _after_all(_nothing(project, request, seen, observer, name, seconds), tally)
            before = Attempt(project, request, observer, seen, lease, name, began, tally)
            try:
                return before.run()
            except SourceMoved as moved:
                told = moved.what
                observer.warned(f"{told}; looking again")
            except (Interrupted, KeyboardInterrupt) as error:
                so_far = _so_far(before, tally, project.clock.monotonic() - began)
                at, why = (error.at, error.why) if isinstance(error, Interrupted) else ("", "")
                raise InterruptedBuild(so_far, at=at, why=why) from error
        if before is not None:
            before.record.end("failed")
        raise SourceMoved(
            "the sources keep changing while the build runs",
            why=f"looked at them {SURVEYS} times; at last, {told}",
            fix="build again when the tree is at rest; finished jobs are kept",
        )


def _foresee(project: Project, start: Callable[[Collection[str]], None], changes: ChangeSet) -> None:
    """Start what performs calls where what differs leaves no doubt: the plan takes as long to make as it to load.

    And ask what failed, which the plan will want to know.
    """
    project.look_at_failures()
    if project.context is not None:
        start(project.context.first_calls(changes))


def _first_calls(seen: Survey) -> frozenset[str]:
    """The targets of the calls that can begin at once."""
    if seen.graph is None or not seen.plan.layers:
        return frozenset()
    recipes = (seen.graph.recipes[id_] for id_ in seen.plan.layers[0])
    return frozenset(recipe.argv[0] for recipe in recipes if recipe.kind == KIND)


def _sure(seen: Survey) -> int:
    """How many commands will run whatever is stored: no result can stand for them."""
    known = seen.graph.recipes if seen.graph is not None else {}
    return sum(
        known[id_].kind == "command" and known[id_].place == "any"
        for id_, job in seen.plan.jobs.items()
        if any(isinstance(why, AlwaysRuns) for why in job.reasons)
    )


def _refuse_other(request: Request, base: Base) -> None:
    if request.base is not None and request.base != base.manifest_hash:
        raise Conflict(
            "the base moved: another build committed since this one was planned",
            why=f"it was planned on {request.base or 'no manifest'}; the current one is {base.manifest_hash or 'none'}",
            fix="plan again: finished jobs are kept and will not run a second time",
        )


def regenerate(project: Project, request: Request, say: Callable[[str, str, str], int]) -> bool:
    """Have an imported build file made anew if it is out of date; whether it was. Raises what `Regeneration` does."""
    if project.imported is None:
        return False
    from coordinator.imported.regenerate import Regeneration  # noqa: PLC0415 - only for projects with a build.ninja

    regeneration = Regeneration(project.imported)
    if regeneration.asks() or regeneration.due():
        with workspace.holding(project.settings.state_dir, project.clock, wait=request.wait):
            return regeneration.run(say)
    return False


def _clear_up(project: Project, request: Request) -> None:
    """Finish or undo what a build that died left in the workspace; a build with nothing to do finds nothing."""
    settings = project.settings
    if (settings.state_dir / "journal.json").exists():
        with workspace.holding(settings.state_dir, project.clock, wait=request.wait):
            materialise.recover(settings.root, settings.state_dir)
    if materialise.any_left(settings.state_dir):
        # A build that is under way clears up after itself.
        with contextlib.suppress(LockHeld), workspace.holding(settings.state_dir, project.clock):
            materialise.sweep(settings.root, settings.state_dir)


def _nothing(
    project: Project, request: Request, seen: Survey, observer: BuildObserver, name: str, seconds: float
) -> BuildReport:
    for warning in (*seen.base.problems, *seen.warnings):
        observer.warned(warning)
    _keep(seen, observer)
    project.beyond.save()
    if project.context is not None and (warning := project.context.retouch(seen.scan, seen.snapshot.touched)):
        observer.warned(warning)
    if seen.placed and not request.targets:
        forget_placed(project.settings.state_dir, {})
    remember(project, seen, request.question, typed=request.typed)
    return _still(project, _told(seen), name, seconds)


def _after_all(report: BuildReport, tally: Tally) -> BuildReport:
    """The report of a build that has nothing to do any more, with what it did before."""
    return msgspec.structs.replace(
        report,
        executed=tally.executed,
        outputs_written=len(tally.written),
        outputs_removed=len(tally.removed),
        bytes_up=tally.bytes_up,
        bytes_down=tally.bytes_down,
        changed=tuple(tally.written),
    )


def _told(seen: Survey) -> dict[str, object]:
    return {
        "revision": seen.base.revision,
        "files": len(seen.snapshot.sources) + len(seen.snapshot.outputs),
    }


def _so_far(attempt: Attempt, tally: Tally, seconds: float) -> BuildReport:
    """The report of a build that was interrupted."""
    settings, record, plan = attempt.settings, attempt.record, attempt.plan
    return BuildReport(
        build=attempt.name,
        status="interrupted",
        project=settings.project,
        branch=settings.branch,
        base_revision=attempt.seen.base.revision,
        revision=record.revision,
        planned=len(plan.jobs),
        executed=tally.executed,
        reused=record.reused,
        failed=len(record.failures),
        layers=tuple(map(len, plan.layers)),
        outputs_written=len({*tally.written, *attempt.done.written}),
        outputs_removed=len({*tally.removed, *attempt.done.removed}),
        bytes_up=tally.bytes_up,
        bytes_down=tally.bytes_down,
        seconds=seconds,
        files=len(attempt.seen.snapshot.sources),
        failures=tuple(record.failures),
        not_committed="" if record.revision else "it was interrupted",
        plan=plan,
        tests=attempt.graph.tests,
        done=attempt.keys(),
        reused_jobs=attempt.reused_jobs(),
    )


def _still(project: Project, told: Mapping[str, object], name: str, seconds: float) -> BuildReport:
    settings = project.settings
    return BuildReport(
        build=name,
        status="no-changes",
        project=settings.project,
        branch=settings.branch,
        base_revision=cast("int", told["revision"]),
        revision=0,
        seconds=seconds,
        files=cast("int", told["files"]),
    )


@contextmanager
def _held(project: Project, request: Request, name: str, base: Base) -> Iterator[Lease]:
    holder = me(name, target=" ".join(request.targets))
    with workspace.holding(project.settings.state_dir, project.clock, holder=holder, wait=request.wait):
        lease = project.lock().acquire(holder, wait=request.wait, at_least=base.fence)
        away = False
        try:
            with project.context.announced(lease.holder) if project.context else nullcontext():
                yield lease
        except BrokerUnavailable:
            away = True
            raise
        finally:
            lease.release(hurry=away)


def _keep(seen: Survey, observer: BuildObserver) -> None:
    """Keep what the scan learnt; only time is lost if that fails."""
    if warning := seen.scan.save():
        observer.warned(warning)
