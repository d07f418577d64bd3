"""CommandRun: one run of a command in a sandbox, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Unpack

from shared import failpoint
from shared.errors import DiskFull, LocalError, StoreUnavailable, named
from shared.keys import body_of, trace_key
from shared.model.action import ActionResult, Input, Output, Timings
from shared.model.job import JobOutcome, Status
from shared.model.path import lacking
from shared.relocation import local_result, portable_result, portable_trace
from shared.storage.carried import carried
from workers.execute.environment import environment
from workers.execute.slot import UNSEEN, Ended, Request, Slot
from workers.execute.view import Seen, seen_of
from workers.left import Left
from workers.outcome import Told, outcome_of
from workers.printed import Printed, complaint, interrupted
from workers.sandbox.broken import Broken
from workers.sandbox.fetching import InputsMissing
from workers.sandbox.home import Home
from workers.sandbox.kept import LEAST, Kept, effort, tidied
from workers.sandbox.marks import Marks
from workers.sandbox.memory import Memory
from workers.sandbox.sandbox import Sandbox
from workers.ticket import Ticket


class CommandRun:
    """From fetching the inputs to storing the result. One use."""

    def __init__(self, ticket: Ticket) -> None:
        self.ticket, self.workshop, self.order = ticket, ticket.workshop, ticket.order
        self.action = ticket.order.action
        self.started = self.workshop.clock.monotonic()
        self.bytes_up = self.bytes_down = 0
        self.fetch_seconds = 0.0

    def outcome(self) -> JobOutcome:
        """Run it."""
        memory = self.workshop.memory
        if memory is not None and memory.takes(self.action):
            home = self.workshop.home(memory)
            try:
                return self._perform(home, memory)
            except LocalError as error:
                # More than fits is not the fault of the job, nor is a folder that was taken away: it runs on the disk.
                if not isinstance(error, DiskFull) and home.there():
                    raise
        elif memory is not None and memory.short():
            self.workshop.let_go(memory)
        return self._perform(self.workshop.home(), None)

    def _perform(self, home: Home, memory: Memory | None) -> JobOutcome:
        observed = self.action.observed and home.observes()
        marked = self.action.loose or observed

        def near() -> Kept | None:
            return home.trees.take(self.action.inputs, observed=observed) if marked else None

        try:
            with Sandbox(home.place(), self.action, home.discard, near) as sandbox:
                way = self.workshop.isolation() if self.action.root else "rewriting"
                seen = seen_of(self.action, str(sandbox.tree), [str(sandbox.tmp)], way)
                with self.workshop.slots(self.action.kind).slot() as slot:
                    if self.ticket.cancelled():
                        return self._end("lost", message="cancelled")
                    # A supervisor takes some milliseconds to start: the inputs are fetched meanwhile.
                    slot.start()
                    self._fetch(sandbox, seen)
                    marks = self._marks(home, sandbox, observed=observed) if marked else None
                    ended = self._run(slot, sandbox, seen, memory)
                # What it made is stored while the next command runs.
                self.ticket.ran()
                outcome = self._judge(sandbox, seen, ended, memory, partial(Left, marks=marks, observed=observed))
                if marks is not None and outcome.status == "executed" and not (memory is not None and memory.short()):
                    self._hand_on(home, sandbox, marks, observed=observed)
                return outcome
        except InputsMissing as error:
            return self._end("missing", missing=error.hashes, message="inputs are not in the store")
        except Broken as error:
            return self._end("failed", message=str(error))

    def _fetch(self, sandbox: Sandbox, seen: Seen) -> None:
        sandbox.lay_out_folders()
        files = sandbox.files()
        self.workshop.fetcher.keep(self.order.carried)
        self.bytes_down += self.ticket.patiently(lambda: self.workshop.fetcher.fetch(files, sandbox.tree))
        sandbox.lay_out_texts(seen.root)
        sandbox.lay_out_links(seen.root if self.action.root else "")
        self.fetch_seconds = self.workshop.clock.monotonic() - self.started
        failpoint.hit("worker.fetched")

    def _marks(self, home: Home, sandbox: Sandbox, *, observed: bool) -> Marks:
        folders, large = sandbox.folders, effort(self.action.inputs) >= LEAST
        written = home.watch(sandbox.tree, ("", *folders), worth=large)
        return Marks(sandbox.tree, self.action, folders, observed=observed, marked=sandbox.marked, written=written)

    def _hand_on(self, home: Home, sandbox: Sandbox, marks: Marks, *, observed: bool) -> None:
        """Leave what was laid out to later jobs that need much of the same."""
        given = {item.path: item for item in self.action.inputs if item.mode != "link"}
        laid = marks.untouched() if effort(given.values()) >= LEAST else None
        kept = None if laid is None else tidied(sandbox.tree, given, laid, mode=marks.mode, observed=observed)
        if kept is not None:
            with suppress(OSError):  # then it goes with the rest of the sandbox
                home.keep(kept)

    def _run(self, slot: Slot, sandbox: Sandbox, seen: Seen, memory: Memory | None) -> Ended:
        ended = slot.run(
            Request(
                argv=seen.argv,
                cwd=seen.cwd,
                env=environment(self.action, path=self.workshop.path, tmp=sandbox.tmp, cwd=seen.cwd),
                stdout=str(sandbox.stdout),
                # As ninja, which hands on what was printed in the order in which it was.
                stderr=str(sandbox.stdout if self.action.loose else sandbox.stderr),
                timeout=self.order.timeout,
                folder=str(sandbox.tree),
                view=seen.view,
            ),
            lambda: self.ticket.cancelled() or (memory is not None and memory.short()),
        )
        failpoint.hit("worker.ran")
        return ended

    def _judge(
        self, sandbox: Sandbox, seen: Seen, ended: Ended, memory: Memory | None, left: Callable[..., Left]
    ) -> JobOutcome:
        """What came of a run; DiskFull when it should be tried elsewhere."""
        if memory is not None and ended.cancelled and not self.ticket.cancelled():
            raise DiskFull("jobs take more memory than they may", at=str(sandbox.tree))
        if memory is not None and not sandbox.place.is_dir():
            raise LocalError(f"{sandbox.place} was taken away under a job", at=str(sandbox.place))
        if ended.lost or ended.cancelled:
            return self._end("lost", message="cancelled" if ended.cancelled else "the supervisor of its slot died")
        if ended.log_errno:
            raise named(OSError(ended.log_errno, ""), sandbox.stdout, "writing")
        if ended.error_errno == UNSEEN:
            raise LocalError(f"a job's tree cannot appear at {seen.root}", at=seen.root, why=ended.error)
        roots = tuple(dict.fromkeys((str(sandbox.tree), seen.root, self.action.root or seen.root)))
        run = Printed(self.ticket, (sandbox.stdout, sandbox.stderr), ended, roots)
        if ended.error or ended.exit_code != 0:
            if memory is not None and run.lacked_space(ended):
                raise DiskFull(f"no space left in {memory.root}", at=str(sandbox.tree))
            code, message = complaint(self.action.command[0], self.order.timeout, ended)
            stopped = interrupted(ended)
            named_paths = () if ended.timed_out or stopped else run.wanted(message)
            return self._end(
                "failed", message=message, exit_code=code, printed=run, wanted=named_paths, interrupted=stopped
            )
        try:
            return self._store(left(self.ticket, sandbox, seen), ended, run)
        except Broken as error:
            return self._end("failed", message=str(error), printed=run)

    def _store(self, left: Left, ended: Ended, run: Printed) -> JobOutcome:
        """Check what the run left, and store it; Broken when it did not do what it declares."""
        begun = self.workshop.clock.monotonic()
        made = left.outputs()
        trace = left.trace(run)
        self.bytes_up += left.upload(made)
        stdout, stderr = run.logs()
        key = left.key(made, trace)
        # What cannot be said to be of these files is no result for anybody else; nor is that of a job that always runs,
        # whether it says so or never makes what it declares. One that names what it was not given may be repeated.
        kept = self.order.kept and not left.moved and not left.lacked and not self._lacks(made)
        message = self._compare(key, made) if self.order.no_cache and kept else ""
        result = ActionResult(
            key=key,
            outputs=made,
            stdout=stdout,
            stderr=stderr,
            trace=trace,
            timings=Timings(
                fetch=self.fetch_seconds, run=ended.seconds, upload=self.workshop.clock.monotonic() - begun
            ),
            worker=self.workshop.name,
            beyond=left.beyond,
        )
        failpoint.hit("worker.uploaded")
        if kept:
            message = self._keep(result) or message
        failpoint.hit("worker.stored")
        carries = self._carried(made)
        return self._end(
            "executed",
            result=result,
            message=message,
            printed=run,
            wanted=left.lacked,
            marks=left.marks,
            carried=carries,
        )

    def _carried(self, made: tuple[Output, ...]) -> dict[str, bytes]:
        """The bytes of small outputs, for a coordinator that is elsewhere."""
        if not (self.workshop.elsewhere and self.order.wanted):
            return {}
        sizes = {output.hash: output.size for output in made if output.mode != "link"}
        return self.ticket.patiently(lambda: carried(self.workshop.blobs, sizes))

    def _lacks(self, made: tuple[Output, ...]) -> bool:
        """Whether an output that it declares is not there, which a loose action may leave out, or a depfile to stay."""
        return bool(lacking((*self.action.outputs, *self.action.kept_depfile), {output.path for output in made}))

    def _keep(self, result: ActionResult) -> str:
        """Have later builds find a result; a remark when that could not be done, since nothing is wrong with it."""
        results, trace = self.workshop.results, result.trace
        try:
            root = self.action.root
            kept = portable_result(result, root)
            self.ticket.patiently(lambda: results.put(kept, replace=self.order.no_cache))
            if trace is not None:
                where = trace_key(body_of(self.action), self._primary())
                noted = portable_trace(trace, root)
                self.ticket.patiently(lambda: results.add_trace(where, noted))
        except (StoreUnavailable, LocalError) as error:
            return f"its result is not kept for later builds: {error.what}"
        return ""

    def _compare(self, key: str, made: tuple[Output, ...]) -> str:
        """A remark when a stored result of the same key holds other bytes."""
        hit = self.ticket.patiently(lambda: self.workshop.results.get(key))
        if hit is None:
            return ""
        stored = local_result(hit.result, self.action.root)
        before = {output.path: output.hash for output in stored.outputs}
        differing = [output.path for output in made if before.get(output.path, output.hash) != output.hash]
        return f"not deterministic: the same command made other bytes of {', '.join(differing)}" if differing else ""

    def _primary(self) -> list[Input]:
        own = frozenset(self.action.primary)
        return [item for item in self.action.inputs if item.path in own]

    def _end(self, status: Status, **told: Unpack[Told]) -> JobOutcome:
        up, down = self.bytes_up, self.bytes_down
        return outcome_of(self.ticket, status, started=self.started, bytes_up=up, bytes_down=down, **told)
