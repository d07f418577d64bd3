"""Scheduler: releases each job when its own inputs are done, the longest chain first.

One thread owns all state; jobs are prepared and settled in a small pool and performed by a Performer,
and all of them report to one inbox. See docs/design/dispatch.md.
"""

from __future__ import annotations

import heapq
import math
import queue
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec

from coordinator.dispatch.performer import JobStarted, Performer, Report
from coordinator.dispatch.prepare import Given, Preparer, Reuse
from coordinator.dispatch.states import ENDED, UNDER_WAY, JobRun, State
from coordinator.dispatch.tree import RunTree
from coordinator.dispatch.wanted import match_wanted
from coordinator.progress import BuildObserver, Failure, How
from shared.clock import Clock
from shared.errors import BlobMissing, Interrupted, TimeLimit, WindrowError
from shared.model.action import ActionResult
from shared.model.graph import Recipe
from shared.model.job import JobOrder, JobOutcome
from shared.model.plan import Plan
from shared.reproduce import describe

PREPARING_AT_ONCE = 16
TINY_SECONDS = 0.05
BATCH_SECONDS = 0.2
BATCH_JOBS = 64
REMAKES = 3
TICK_SECONDS = 0.5


class Options(msgspec.Struct, frozen=True):
    """How to run: strict layers or ready-first, past failures or not, until when (monotonic seconds)."""

    schedule: Literal["ready", "layers"] = "ready"
    keep_going: bool = False
    deadline: float | None = None
    require_cached: bool = False


class RunReport(msgspec.Struct, frozen=True):
    """What came of the jobs: results by job, how each was come by, failures in order, jobs not run."""

    results: dict[str, ActionResult]
    how: dict[str, How]
    failures: tuple[Failure, ...]
    skipped: tuple[str, ...]
    added: tuple[str, ...]
    bytes_up: int = 0
    bytes_down: int = 0
    saved_seconds: float = 0.0


class _Prepared(msgspec.Struct):
    job: str
    outcome: Reuse | JobOrder | Exception


class _Settled(msgspec.Struct):
    job: str
    error: Exception | None


class Scheduler:
    """Runs the jobs of one plan; use once."""

    def __init__(  # noqa: PLR0913 - the parts a build is run with
        self,
        plan: Plan,
        *,
        tree: RunTree,
        preparer: Preparer,
        performer: Callable[[], Performer],
        settle: Callable[[ActionResult], None],
        observer: BuildObserver,
        clock: Clock,
        alive: Callable[[], None],
        options: Options,
    ) -> None:
        self._alive = alive
        self._tree, self._preparer, self._settle = tree, preparer, settle
        self._make_performer = performer
        self._performer: Performer | None = None
        self._observer, self._clock, self._options = observer, clock, options
        self._graph = tree.graph
        self._dependants = self._graph.dependants()
        self._inbox: queue.SimpleQueue[_Prepared | _Settled | Report] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(PREPARING_AT_ONCE, thread_name_prefix="prepare")
        self._ready: list[tuple[float, str]] = []
        self._prepared: list[tuple[float, str]] = []
        self._failures: list[Failure] = []
        self._added: list[str] = []
        self._under_way = 0
        self._left = 0
        self._batches: dict[int, int] = {}
        self._batch_of: dict[str, int] = {}
        self._batch_count = 0
        self._counts: dict[State, int] = {}
        self._bytes_up = self._bytes_down = 0
        self._saved = 0.0
        self._stopping = False
        self._checked = clock.monotonic()
        self._layer = 0
        self._runs: dict[str, JobRun] = {}
        for id_, job in plan.jobs.items():
            needs = {need for need in self._graph.dependencies[id_] if need in plan.jobs}
            tiny = self._graph.recipes[id_].kind == "noop" or 0 < job.expected < TINY_SECONDS
            self._add(JobRun(id_, job.layer, plan.priority[id_], job.expected, needs, tiny=tiny))
        self._layers = [set(layer) for layer in plan.layers]

    # -- the loop ---------------------------------------------------------------------------------

    def run(self) -> RunReport:
        """Run until every job has ended or a failure stops the build.

        Raises what ends a build: Interrupted, TimeLimit, FarmError, LocalError, SourceMoved; nothing of
        the build runs in this process any more then.
        """
        try:
            for run in list(self._runs.values()):
                self._release(run)
            while self._left and not (self._stopping and not self._under_way):
                self._pump()
                if not self._left:
                    break
                self._handle(self._next())
        except KeyboardInterrupt as interrupt:
            self._cancel()
            raise Interrupted("interrupted", fix="finished jobs are kept; build again to go on") from interrupt
        except BaseException:
            self._cancel()
            raise
        self._close()
        return self._report()

    def _next(self) -> _Prepared | _Settled | Report | None:
        deadline = self._options.deadline
        while True:
            now = self._clock.monotonic()
            if now - self._checked >= TICK_SECONDS:
                self._checked = now
                self._alive()
            wait = TICK_SECONDS
            if deadline is not None:
                wait = min(wait, max(0.0, deadline - self._clock.monotonic()))
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
                if not self._under_way and not self._ready and not self._prepared:
                    stuck = sorted(run.id for run in self._runs.values() if run.state not in ENDED)
                    raise WindrowError(f"nothing runs and {len(stuck)} jobs wait", why=", ".join(stuck[:5])) from None

    def _handle(self, message: _Prepared | _Settled | Report | None) -> None:
        match message:
            case JobOutcome():
                self._on_outcome(message)
            case JobStarted():
                self._on_started(message)
            case _Prepared():
                self._on_prepared(message)
            case _Settled():
                self._on_settled(message)
            case WindrowError():
                raise message

    def _cancel(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._performer is not None:
            self._performer.cancel()
        self._close()

    def _close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._performer is not None:
            self._performer.close()

    # -- releasing --------------------------------------------------------------------------------

    def _add(self, run: JobRun) -> None:
        self._runs[run.id] = run
        self._left += 1

    def _release(self, run: JobRun) -> None:
        if run.state is State.WAITING and not run.waiting and self._layer_open(run):
            self._move(run, State.READY)
            heapq.heappush(self._ready, (-run.priority, run.id))

    def _layer_open(self, run: JobRun) -> bool:
        return self._options.schedule == "ready" or run.layer <= self._layer

    def _next_layer(self) -> None:
        """Strict layers: open the next one when every job of those before has ended."""
        if self._options.schedule != "layers":
            return
        while self._layer < len(self._layers) and all(
            self._runs[id_].state in ENDED for id_ in self._layers[self._layer]
        ):
            self._layer += 1
            for id_ in self._layers[self._layer] if self._layer < len(self._layers) else ():
                self._release(self._runs[id_])

    def _pump(self) -> None:
        """Start what can be started."""
        if self._stopping:
            return
        self._submit_prepared()
        preparing = self._count(State.PREPARING)
        ahead = 2 * (self._performer.slots() if self._performer else 2) + PREPARING_AT_ONCE
        while self._ready and preparing < PREPARING_AT_ONCE and len(self._prepared) < max(ahead, BATCH_JOBS * 4):
            run = self._runs[heapq.heappop(self._ready)[1]]
            if run.state is not State.READY:
                continue
            self._move(run, State.PREPARING)
            run.attempt += 1
            if self._graph.recipes[run.id].kind == "noop":
                # Nothing to look up and nothing to store: the pool would cost more than the job.
                self._on_prepared(_Prepared(run.id, self._prepare(run)))
                continue
            preparing += 1
            self._pool.submit(self._prepare_and_tell, run)
        self._submit_prepared()

    def _count(self, state: State) -> int:
        return self._counts.get(state, 0)

    def _move(self, run: JobRun, state: State) -> None:
        """Change a job's state and keep the tallies the loop goes by."""
        before = run.state
        run.move(state)
        self._counts[before] = self._counts.get(before, 0) - 1
        self._counts[state] = self._counts.get(state, 0) + 1
        self._under_way += (state in UNDER_WAY) - (before in UNDER_WAY)
        self._left += (before in ENDED) - (state in ENDED)

    def _prepare(self, run: JobRun) -> Reuse | JobOrder:
        return self._preparer.prepare(run.id, attempt=run.attempt, force=run.force, given=run.given)

    def _prepare_and_tell(self, run: JobRun) -> None:
        try:
            outcome: Reuse | JobOrder | Exception = self._prepare(run)
        except Exception as error:  # noqa: BLE001 - told to the loop, which raises it
            outcome = error
        self._inbox.put(_Prepared(run.id, outcome))

    def _on_prepared(self, message: _Prepared) -> None:
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
        self._move(run, State.PREPARED)
        heapq.heappush(self._prepared, (-run.priority, run.id))

    # -- performing -------------------------------------------------------------------------------

    def _submit_prepared(self) -> None:
        if not self._prepared:
            return
        if self._performer is None:
            self._performer = self._make_performer()
            self._performer.open(self._inbox.put)
        credit = 2 * self._performer.slots() - len(self._batches)
        while self._prepared and credit > 0:
            share = math.ceil(len(self._prepared) / credit)
            batch = self._take_batch(min(share, BATCH_JOBS))
            if batch:
                self._submit(batch)
            credit -= 1

    def _take_batch(self, limit: int) -> list[JobRun]:
        """The next job, and with it others as small while together they stay small."""
        batch: list[JobRun] = []
        seconds = 0.0
        while self._prepared and len(batch) < limit:
            run = self._runs[self._prepared[0][1]]
            if run.state is not State.PREPARED:
                heapq.heappop(self._prepared)
                continue
            if batch and (not run.tiny or seconds + run.expected > BATCH_SECONDS):
                break
            heapq.heappop(self._prepared)
            batch.append(run)
            seconds += run.expected
            if not run.tiny:
                break
        return batch

    def _submit(self, batch: list[JobRun]) -> None:
        assert self._performer is not None
        self._batch_count += 1
        number = self._batch_count
        self._batches[number] = len(batch)
        orders: list[JobOrder] = []
        for run in batch:
            assert run.order is not None
            orders.append(run.order)
            self._batch_of[run.id] = number
            self._move(run, State.SUBMITTED)
        self._performer.submit(orders)

    def _leave_batch(self, run: JobRun) -> None:
        number = self._batch_of.pop(run.id)
        self._batches[number] -= 1
        if not self._batches[number]:
            del self._batches[number]

    def _on_started(self, message: JobStarted) -> None:
        run = self._runs[message.job]
        if run.state is State.SUBMITTED:
            self._move(run, State.RUNNING)
            self._observer.started(run.id, message.worker)

    def _on_outcome(self, outcome: JobOutcome) -> None:
        run = self._runs[outcome.job]
        if run.state not in (State.SUBMITTED, State.RUNNING) or outcome.attempt != run.attempt:
            return
        self._leave_batch(run)
        self._bytes_up += outcome.bytes_up
        self._bytes_down += outcome.bytes_down
        run.worker, run.seconds = outcome.worker, outcome.seconds
        if outcome.message and outcome.status in ("executed", "reused"):
            self._observer.warned(f"{run.id}: {outcome.message}")
        match outcome.status:
            case "executed" | "reused":
                assert outcome.result is not None
                run.result, run.how = outcome.result, "executed" if outcome.status == "executed" else "shared"
                self._move(run, State.SETTLING)
                if run.how == "executed" and self._graph.recipes[run.id].kind == "noop":
                    self._on_settled(_Settled(run.id, None))
                else:
                    self._pool.submit(self._settle_and_tell, run.id, outcome.result)
            case "missing":
                self._remake(run, outcome)
            case _:
                self._failed_try(run, outcome)

    def _settle_and_tell(self, job: str, result: ActionResult) -> None:
        error: Exception | None = None
        try:
            self._settle(result)
        except Exception as caught:  # noqa: BLE001 - told to the loop, which raises it
            error = caught
        self._inbox.put(_Settled(job, error))

    def _on_settled(self, message: _Settled) -> None:
        run = self._runs[message.job]
        if isinstance(message.error, BlobMissing) and run.remakes < REMAKES:
            run.remakes += 1
            run.force = True
            self._again(run)
            return
        if message.error is not None:
            raise message.error
        assert run.result is not None
        assert run.how is not None
        self._complete(run, run.result, run.how)

    def _again(self, run: JobRun) -> None:
        run.redo = False
        self._move(run, State.READY)
        heapq.heappush(self._ready, (-run.priority, run.id))

    # -- ends -------------------------------------------------------------------------------------

    def _complete(self, run: JobRun, result: ActionResult, how: How) -> None:
        changed = self._tree.take(run.id, result)
        if run.redo and run.state in (State.SETTLING, State.PREPARING):
            self._again(run)
            return
        run.result, run.how, run.order = result, how, None
        self._move(run, State.DONE)
        if how != "executed":
            self._saved += result.timings.run
        self._observer.finished(run.id, how, result.timings.run)
        for user in self._dependants[run.id]:
            waiting = self._runs.get(user)
            if waiting is None:
                if changed and self._reads(self._graph.recipes[user], run.id):
                    self._join(user)
            elif run.id in waiting.waiting:
                waiting.waiting.discard(run.id)
                self._release(waiting)
            elif changed and waiting.state is State.DONE:
                self._reopen(waiting)
            elif changed and waiting.state in UNDER_WAY:
                waiting.redo = True
        self._next_layer()

    def _reads(self, user: Recipe, maker: str) -> bool:
        manifest = self._tree.manifest
        entry = manifest.jobs.get(user.id) if manifest else None
        if entry is None or user.depfile is None:
            return True
        used = {*user.inputs, *(entry.trace.used if entry.trace else ()), *entry.unread}
        return not used.isdisjoint(self._graph.recipes[maker].outputs)

    def _join(self, job: str, *, force: bool = False) -> None:
        """Take a job into the build that the plan had left as it was."""
        needs = {need for need in self._graph.dependencies[job] if self._is_open(need)}
        run = JobRun(job, 0, 0.0, 0.0, needs, force=force)
        self._add(run)
        self._added.append(job)
        self._observer.added(job)
        self._release(run)
        for user in self._dependants[job]:
            waiting = self._runs.get(user)
            if waiting is not None and waiting.state in (State.WAITING, State.READY):
                self._hold(waiting, job)

    def _is_open(self, job: str) -> bool:
        return job in self._runs and self._runs[job].state not in ENDED

    def _hold(self, run: JobRun, need: str) -> None:
        run.waiting.add(need)
        if run.state is State.READY:
            self._move(run, State.WAITING)

    def _reopen(self, run: JobRun, *, force: bool = False) -> None:
        run.force = run.force or force
        self._move(run, State.WAITING)
        run.waiting = {need for need in self._graph.dependencies[run.id] if self._is_open(need)}
        self._release(run)

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
        self._move(run, State.WAITING)
        for maker in sorted(makers):
            known = self._runs.get(maker)
            if known is None:
                self._join(maker, force=True)
            elif known.state is State.DONE:
                self._reopen(known, force=True)
            if self._is_open(maker):
                run.waiting.add(maker)
        self._observer.warned(f"{run.id}: stored bytes of {', '.join(paths)} are gone or damaged; making them again")
        self._release(run)

    def _failed_try(self, run: JobRun, outcome: JobOutcome) -> None:
        """A command may have failed for want of a file the tree has: repeat it with that, once."""
        if run.given is None and outcome.wanted and run.order is not None:
            had = {item.path for item in run.order.action.inputs}
            found = match_wanted(outcome.wanted, (path for path in self._tree.snapshot.sources if path not in had))
            if found:
                recipe = self._graph.recipes[run.id]
                run.given = Given(paths=found, tree=recipe.depfile is not None)
                self._observer.warned(f"{run.id}: repeated with {', '.join(found[:3])}, which its rule does not name")
                self._again(run)
                return
        self._fail(run, outcome)

    def _fail(self, run: JobRun, outcome: JobOutcome) -> None:
        assert run.order is not None
        recipe = self._graph.recipes[run.id]
        failure = Failure(
            job=run.id,
            rule=recipe.rule,
            exit_code=outcome.exit_code,
            message=outcome.message,
            command=describe(run.order.action),
            output=self._text(outcome),
            worker=outcome.worker,
            seconds=outcome.seconds,
            at=recipe.at,
        )
        self._move(run, State.FAILED)
        self._failures.append(failure)
        self._observer.failed(failure)
        self._skip_users(run.id)
        self._stopping = not self._options.keep_going
        self._next_layer()

    def _text(self, outcome: JobOutcome) -> str:
        parts: list[str] = []
        for log in (outcome.stdout, outcome.stderr):
            text = log.text
            if log.hash:
                try:
                    text = self._preparer.blobs.get(log.hash).decode("utf-8", "replace")
                except BlobMissing:
                    text = f"[{log.size} bytes of output could not be read back]"
            if log.cut:
                text += f"\n[{log.cut} more bytes were dropped]"
            if text:
                parts.append(text.rstrip("\n"))
        return "\n".join(parts)

    def _skip_users(self, job: str) -> None:
        stack = [job]
        while stack:
            current = stack.pop()
            for user in self._dependants[current]:
                run = self._runs.get(user)
                if run is not None and run.state in (State.WAITING, State.READY, State.PREPARED):
                    self._move(run, State.SKIPPED)
                    self._observer.skipped(user, job)
                    stack.append(user)

    def _report(self) -> RunReport:
        runs: Iterable[JobRun] = self._runs.values()
        done = [run for run in runs if run.state is State.DONE]
        return RunReport(
            results={run.id: run.result for run in done if run.result is not None},
            how={run.id: run.how for run in done if run.how is not None},
            failures=tuple(self._failures),
            skipped=tuple(sorted(run.id for run in runs if run.state not in (State.DONE, State.FAILED))),
            added=tuple(self._added),
            bytes_up=self._bytes_up + self._preparer.bytes_up,
            bytes_down=self._bytes_down,
            saved_seconds=self._saved,
        )
