"""Scheduler: releases each job when its own inputs are done, the longest chain first.

One thread owns all state; jobs are prepared and settled in a small pool and performed by a Performer,
and all of them report to one inbox. See docs/design/dispatch.md.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from coordinator.dispatch.batches import planned_run
from coordinator.dispatch.elsewhere import ReadElsewhere
from coordinator.dispatch.failures import failure_of, never_stored, printed
from coordinator.dispatch.lane import Lanes
from coordinator.dispatch.performer import JobStarted, Performer, Report, Warned
from coordinator.dispatch.prepare import CONSOLE, Preparer, Reuse
from coordinator.dispatch.release import ReadyJobs
from coordinator.dispatch.report import Options, RunReport
from coordinator.dispatch.states import UNDER_WAY, JobRun, Prepared, Settled, State
from coordinator.dispatch.table import JobTable, report_of
from coordinator.dispatch.tree import RunTree
from coordinator.dispatch.wanted import asked_for
from coordinator.progress import BuildObserver, Failure, How
from shared.clock import Clock
from shared.errors import BlobMissing, Interrupted, TimeLimit, WindrowError
from shared.model.action import ActionResult
from shared.model.job import JobOrder, JobOutcome
from shared.model.plan import Plan

PREPARING_AT_ONCE = 16  # threads that look results up and bring outputs
MOST_PREPARED = 256
REMAKES = 3
TICK_SECONDS = 0.5


class Scheduler:
    """Runs the jobs of one plan; use once. here: performs what must run on this machine, unless `performer` does."""

    def __init__(  # noqa: PLR0913 - the parts a build is run with
        self,
        plan: Plan,
        *,
        tree: RunTree,
        preparer: Preparer,
        performer: Callable[[], Performer],
        settle: Callable[[ActionResult, Mapping[str, bytes]], object],
        observer: BuildObserver,
        clock: Clock,
        alive: Callable[[], None],
        options: Options,
        here: Callable[[], Performer] | None = None,
    ) -> None:
        self._alive, self._tree, self._preparer, self._settle = alive, tree, preparer, settle
        self._observer, self._clock, self._options = observer, clock, options
        self._graph = tree.graph
        self._dependants = self._graph.dependants()
        self._inbox: queue.SimpleQueue[Prepared | Settled | Report] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(PREPARING_AT_ONCE, thread_name_prefix="prepare")
        pools, permits = self._graph.names.pools, options.permits
        self._lanes = Lanes(performer, here, self._inbox.put, pools, permits, options.at_once)
        self._failures, self._added = list[Failure](), list[str]()
        self._bytes_up = self._bytes_down = 0
        self._saved, self._stopping, self._checked = 0.0, False, clock.monotonic()
        self._runs = JobTable()
        for id_, job in plan.jobs.items():
            needs = {need for need in self._graph.dependencies[id_] if need in plan.jobs}
            self._runs.add(planned_run(job, self._graph.recipes[id_], plan.priority[id_], needs))
        self._ready = ReadyJobs(self._runs, plan.layers, strict=options.schedule == "layers")

    # -- the loop ---------------------------------------------------------------------------------

    def run(self) -> RunReport:
        """Run until every job has ended or a failure stops the build.

        Raises what ends a build: Interrupted, TimeLimit, FarmError, LocalError, SourceMoved; nothing of
        the build runs in this process any more then.
        """
        try:
            for run in self._runs:
                self._ready.release(run)
            while self._runs.left and not (self._stopping and not self._runs.under_way):
                self._pump()
                if not self._runs.left:
                    break
                self._handle(self._next())
                # Whatever came meanwhile: what can be started is asked once for all of it.
                for _ in range(self._inbox.qsize()):
                    self._handle(self._inbox.get())
        except KeyboardInterrupt as interrupt:
            self._cancel()
            raise Interrupted("interrupted", fix="finished jobs are kept; build again to go on") from interrupt
        except BaseException:
            self._cancel()
            raise
        self._close()
        return self.report()

    def _next(self) -> Prepared | Settled | Report:
        deadline = self._options.deadline
        while True:
            now = self._clock.monotonic()
            if now - self._checked >= TICK_SECONDS:
                self._checked = now
                self._alive()
            wait = TICK_SECONDS if deadline is None else min(TICK_SECONDS, max(0.0, deadline - now))
            try:
                return self._inbox.get(timeout=wait)
            except queue.Empty:
                if deadline is not None and self._clock.monotonic() >= deadline:
                    raise TimeLimit(
                        "the build took longer than its time limit",
                        fix="finished jobs are kept; build again, or raise --timeout",
                    ) from None
                # The number of slots may have changed meanwhile.
                self._pump()
                if not self._runs.under_way and not self._ready and not self._lanes:
                    stuck = self._runs.never_ran()
                    raise WindrowError(f"nothing runs and {len(stuck)} jobs wait", why=", ".join(stuck[:5])) from None

    def _handle(self, message: Prepared | Settled | Report) -> None:
        match message:
            case JobOutcome():
                self._on_outcome(message)
                if message.status in ("failed", "lost"):
                    self._lanes.after_failure(self._runs[message.job], stop=self._stopping)
            case JobStarted():
                self._on_started(message)
            case Prepared():
                self._on_prepared(message)
            case Settled():
                self._on_settled(message)
            case Warned():
                self._observer.warned(message.text)
            case WindrowError():
                raise message

    def _cancel(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._lanes.cancel()
        self._close()

    def _close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._lanes.close()

    # -- releasing --------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Start what can be started."""
        if self._stopping:
            return
        self._lanes.hand_over(self._submitted)
        preparing = self._runs.count(State.PREPARING)
        ahead = max(2 * self._lanes.slots() + PREPARING_AT_ONCE, MOST_PREPARED)
        while self._ready and preparing < PREPARING_AT_ONCE and len(self._lanes) < ahead:
            if (run := self._ready.take()) is None:
                break
            self._runs.move(run, State.PREPARING)
            run.attempt += 1
            if self._graph.recipes[run.id].kind == "noop":
                # Nothing to look up and nothing to store: the pool would cost more than the job.
                self._on_prepared(Prepared(run.id, self._prepare(run)))
                continue
            preparing += 1
            self._pool.submit(self._prepare_and_tell, run)
        self._lanes.hand_over(self._submitted)

    def _prepare(self, run: JobRun) -> Reuse | JobOrder:
        return self._preparer.prepare(run.id, attempt=run.attempt, force=run.force, sure=run.sure, given=run.given)

    def _prepare_and_tell(self, run: JobRun) -> None:
        try:
            outcome: Reuse | JobOrder | Exception = self._prepare(run)
        except Exception as error:  # noqa: BLE001 - told to the loop, which raises it
            outcome = error
        self._inbox.put(Prepared(run.id, outcome))

    def _on_prepared(self, message: Prepared) -> None:
        run, outcome = self._runs[message.job], message.outcome
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, Reuse):
            self._complete(run, outcome.result, outcome.how)
            return
        if run.redo:
            self._again(run)
            return
        if self._options.require_cached:
            run.order = outcome
            self._fail(run, JobOutcome(run.id, run.attempt, "failed", message="no cached result, and none may be made"))
            return
        run.order = outcome
        self._runs.move(run, State.PREPARED)
        self._lanes.of(run).add(run)

    # -- performing -------------------------------------------------------------------------------

    def _submitted(self, run: JobRun) -> None:
        self._runs.move(run, State.SUBMITTED)
        if run.pool == CONSOLE:  # what tells of it comes before what it prints to the same terminal
            self._on_started(JobStarted(run.id, "here"))

    def _on_started(self, message: JobStarted) -> None:
        run = self._runs[message.job]
        if run.state is State.SUBMITTED:
            self._runs.move(run, State.RUNNING)
            self._observer.started(run.id, message.worker)

    def _on_outcome(self, outcome: JobOutcome) -> None:
        run = self._runs[outcome.job]
        if run.state not in (State.SUBMITTED, State.RUNNING) or outcome.attempt != run.attempt:
            return
        self._lanes.of(run).ended(run)
        self._bytes_up += outcome.bytes_up
        self._bytes_down += outcome.bytes_down
        run.worker, run.seconds = outcome.worker, outcome.seconds
        if outcome.message and outcome.status in ("executed", "reused"):
            self._observer.warned(f"{run.id}: {outcome.message}")
        match outcome.status:
            case "executed" | "reused":
                assert outcome.result is not None
                if outcome.wanted and self._repeated(run, outcome):
                    return
                run.result, run.how = outcome.result, "executed" if outcome.status == "executed" else "shared"
                self._runs.move(run, State.SETTLING)
                recipe = self._graph.recipes[run.id]
                if recipe.kind == "noop" or recipe.place == "workspace":
                    # It has no outputs, or they are where they belong.
                    self._on_settled(Settled(run.id, None))
                else:
                    self._pool.submit(self._settle_and_tell, run, outcome.result, outcome)
            case "dropped":
                # Not begun, and the build has stopped.
                self._runs.move(run, State.WAITING)
            case "missing":
                self._remake(run, outcome)
            case _:
                self._failed_try(run, outcome)

    def _settle_and_tell(self, run: JobRun, result: ActionResult, outcome: JobOutcome) -> None:
        error: Exception | None = None
        try:
            self._preparer.refuse_elsewhere(result, again=run.elsewhere, marks=outcome.marks)
            self._settle(result, outcome.carried)
        except Exception as caught:  # noqa: BLE001 - told to the loop, which raises it
            error = caught
        self._inbox.put(Settled(run.id, error))

    def _on_settled(self, message: Settled) -> None:
        run = self._runs[message.job]
        if isinstance(message.error, BlobMissing) and run.remakes < REMAKES:
            run.remakes, run.force = run.remakes + 1, True
            self._again(run)
            return
        if isinstance(message.error, ReadElsewhere):
            self._on_elsewhere(run, message.error.what)
            return
        if message.error is not None:
            raise never_stored(run, message.error) if isinstance(message.error, BlobMissing) else message.error
        assert run.result is not None and run.how is not None  # noqa: PT018
        self._complete(run, run.result, run.how)

    def _on_elsewhere(self, run: JobRun, what: str) -> None:
        """What it read outside the tree is not what this machine has: it is repeated here, and then failed."""
        if run.elsewhere:
            self._fail(run, JobOutcome(run.id, run.attempt, "failed", message=what, worker=run.worker))
            self._lanes.after_failure(run, stop=self._stopping)
            return
        self._observer.warned(f"{run.id}: repeated here, for {what}")
        run.elsewhere = run.here = run.force = True
        self._again(run)

    def _again(self, run: JobRun) -> None:
        run.redo = False
        self._ready.add(run)

    # -- ends -------------------------------------------------------------------------------------

    def _complete(self, run: JobRun, result: ActionResult, how: How) -> None:
        changed = self._tree.take(run.id, result)
        if run.redo and run.state in (State.SETTLING, State.PREPARING):
            self._again(run)
            return
        run.result, run.how, run.order = result, how, None
        self._runs.move(run, State.DONE)
        if how != "executed":
            self._saved += result.timings.run
        self._observer.finished(run.id, how, result.timings.run)
        if how == "executed" and (text := printed(result, self._preparer.blobs)):
            self._observer.said(run.id, text)
        for user in self._dependants[run.id]:
            waiting = self._runs.get(user)
            if waiting is None:
                if changed and user not in self._options.outside and self._tree.reads(user, run.id):
                    self._join(user)
            elif run.id in waiting.waiting:
                waiting.waiting.discard(run.id)
                self._ready.release(waiting)
            elif changed and waiting.state in (State.DONE, State.PREPARED):
                self._reopen(waiting)
            elif changed and waiting.state in UNDER_WAY:
                waiting.redo = True
        self._ready.ended()

    def _join(self, job: str, *, force: bool = False) -> None:
        """Take a job into the build that the plan had left as it was."""
        needs = {need for need in self._graph.dependencies[job] if self._runs.is_open(need)}
        recipe = self._graph.recipes[job]
        run = JobRun(job, 0, 0.0, 0.0, needs, force=force, pool=recipe.pool, here=recipe.place != "any")
        self._runs.add(run)
        self._added.append(job)
        self._observer.added(job)
        self._ready.release(run)
        for user in self._dependants[job]:
            waiting = self._runs.get(user)
            if waiting is not None and waiting.state in (State.WAITING, State.READY):
                self._hold(waiting, job)

    def _hold(self, run: JobRun, need: str) -> None:
        run.waiting.add(need)
        if run.state is State.READY:
            self._runs.move(run, State.WAITING)

    def _reopen(self, run: JobRun, *, force: bool = False) -> None:
        run.force = run.force or force
        self._runs.move(run, State.WAITING)
        run.waiting = {need for need in self._graph.dependencies[run.id] if self._runs.is_open(need)}
        self._ready.release(run)

    def _remake(self, run: JobRun, outcome: JobOutcome) -> None:
        """Blobs the job was given are gone or damaged: make them again, then try it once more."""
        assert run.order is not None
        run.remakes += 1
        lost = frozenset(outcome.missing)
        paths = [item.path for item in run.order.action.inputs if item.hash in lost]
        if run.remakes > REMAKES or not paths:
            raise BlobMissing(next(iter(outcome.missing), ""), f"{run.id}: {', '.join(paths)} cannot be read back")
        for hash_ in lost:
            self._preparer.forget(hash_)
        makers = {self._graph.producer[path] for path in paths if path in self._graph.producer}
        self._runs.move(run, State.WAITING)
        for maker in sorted(makers):
            known = self._runs.get(maker)
            if known is None:
                self._join(maker, force=True)
            elif known.state is State.DONE:
                self._reopen(known, force=True)
        run.waiting.update(filter(self._runs.is_open, makers))
        self._observer.warned(f"{run.id}: stored bytes of {', '.join(paths)} are gone or damaged; making them again")
        self._ready.release(run)

    def _failed_try(self, run: JobRun, outcome: JobOutcome) -> None:
        if run.redo:
            # What it read is being made anew: this failure says nothing of what it will read.
            self._again(run)
        elif not self._repeated(run, outcome):
            self._fail(run, outcome)

    def _repeated(self, run: JobRun, outcome: JobOutcome) -> bool:
        """A command may have done without a file the tree has: repeat it with that, once; whether it is."""
        again = asked_for(run, outcome, self._tree, self._runs)
        if again is None:
            return False
        run.given = again.given
        self._observer.warned(f"{run.id}: repeated with {again.named}, which its rule does not name")
        for maker in again.after:
            self._dependants[maker].append(run.id)
        self._runs.move(run, State.WAITING)
        run.waiting.update(again.after)
        self._ready.hasten(self._graph.closure(again.after))
        self._ready.release(run)
        return True

    def _fail(self, run: JobRun, outcome: JobOutcome) -> None:
        assert run.order is not None
        failure = failure_of(self._graph.recipes[run.id], run.order.action, outcome, self._preparer.blobs)
        self._runs.move(run, State.FAILED)
        self._failures.append(failure)
        self._observer.failed(failure)
        self._skip_users(run.id)
        self._stopping = self._options.ends_with(self._failures)
        self._ready.ended()

    def _skip_users(self, job: str) -> None:
        stack = [job]
        while stack:
            current = stack.pop()
            for user in self._dependants[current]:
                run = self._runs.get(user)
                if run is not None and run.state in (State.WAITING, State.READY, State.PREPARED):
                    self._runs.move(run, State.SKIPPED)
                    self._observer.skipped(user, job)
                    stack.append(user)

    def report(self) -> RunReport:
        """What came of the jobs until now."""
        of, up = (self._runs, self._failures, self._added), self._bytes_up + self._preparer.bytes_up
        return report_of(*of, bytes_up=up, bytes_down=self._bytes_down, saved_seconds=self._saved)
