"""CommandRun: one run of a command in a sandbox, and what came of it."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from functools import partial

from shared import failpoint, hashing
from shared.errors import BlobCorrupt, DiskFull, LocalError, StoreUnavailable, named
from shared.keys import body_of, given_trace, key_after_run, trace_key
from shared.model.action import ActionResult, Input, Log, Output, Timings, Trace
from shared.model.job import JobOutcome, Status
from workers.execute.environment import environment
from workers.execute.hints import wanted
from workers.execute.logs import log_of, printed
from workers.execute.slot import Ended, Request, Slot
from workers.execute.trace import trace_of
from workers.sandbox import outputs
from workers.sandbox.broken import Broken
from workers.sandbox.memory import Memory
from workers.sandbox.sandbox import InputsMissing, Sandbox
from workers.ticket import Ticket

_DEPFILE_LIMIT = 64 << 20  # bytes
_SOURCE_LIMIT = 64 << 20  # bytes
_NOT_FOUND, _NOT_RUNNABLE, _TIMED_OUT, _KILLED = 127, 126, 124, 128  # as shells and timeout(1) have them
_ENOENT = 2
_NO_SPACE = os.strerror(errno.ENOSPC).encode()


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
        with self.workshop.pool.slot() as slot:
            if self.ticket.cancelled():
                return self._end("lost", message="cancelled")
            # A supervisor takes some milliseconds to start: the inputs are fetched meanwhile.
            slot.start()
            memory = self.workshop.memory
            if memory is not None and memory.takes(self.action):
                # More than fits is no failure of the job: then it runs anew, on the disk.
                with suppress(DiskFull):
                    return self._perform(slot, memory)
            return self._perform(slot, None)

    def _perform(self, slot: Slot, memory: Memory | None) -> JobOutcome:
        home = self.workshop.home(memory)
        try:
            with Sandbox(home.place(), self.action, home.discard) as sandbox:
                self._fetch(sandbox)
                return self._run(slot, sandbox, memory)
        except InputsMissing as error:
            return self._end("missing", missing=error.hashes, message="inputs are not in the store")
        except Broken as error:
            return self._end("failed", message=str(error))

    def _fetch(self, sandbox: Sandbox) -> None:
        sandbox.lay_out_folders()
        files = sandbox.files()
        self.bytes_down += self.ticket.patiently(lambda: sandbox.fetch(self.workshop.blobs, files))
        sandbox.lay_out_links()
        self.fetch_seconds = self.workshop.clock.monotonic() - self.started
        failpoint.hit("worker.fetched")

    def _run(self, slot: Slot, sandbox: Sandbox, memory: Memory | None) -> JobOutcome:
        ended = slot.run(
            Request(
                argv=self.action.argv,
                cwd=str(sandbox.tree),
                env=environment(self.action, path=self.workshop.path, tmp=sandbox.tmp),
                stdout=str(sandbox.stdout),
                stderr=str(sandbox.stderr),
                timeout=self.order.timeout,
            ),
            lambda: self.ticket.cancelled() or (memory is not None and memory.short()),
        )
        failpoint.hit("worker.ran")
        if memory is not None and ended.cancelled and not self.ticket.cancelled():
            raise DiskFull("jobs take more memory than they may", at=str(sandbox.tree))
        if ended.lost or ended.cancelled:
            return self._end("lost", message="cancelled" if ended.cancelled else "the supervisor of its slot died")
        if ended.log_errno:
            raise named(OSError(ended.log_errno, ""), sandbox.stdout, "writing")
        run = _Printed(self, sandbox, ended)
        if ended.error or ended.exit_code != 0:
            if memory is not None and run.lacked_space(ended):
                raise DiskFull(f"no space left in {memory.root}", at=str(sandbox.tree))
            code, message = self._complaint(ended)
            named_paths = () if ended.timed_out else run.wanted(message)
            return self._end("failed", message=message, exit_code=code, printed=run, wanted=named_paths)
        try:
            return self._store(sandbox, ended, run)
        except Broken as error:
            return self._end("failed", message=str(error), printed=run)

    def _complaint(self, ended: Ended) -> tuple[int, str]:
        """The exit code and the words for a command that did not succeed."""
        program = self.action.argv[0]
        if ended.error and ended.error_errno == _ENOENT:
            script = ", or the program its first line names is not" if "/" in program else ""
            return _NOT_FOUND, f"{program}: not found{script}"
        if ended.error:
            return _NOT_RUNNABLE, f"{program}: {ended.error[:1].lower()}{ended.error[1:]}"
        if ended.timed_out:
            return _TIMED_OUT, f"it took longer than its time limit of {self.order.timeout:g} s"
        if ended.signal:
            return _KILLED + ended.signal, f"killed by {signal.Signals(ended.signal).name}"
        return ended.exit_code, f"exit code {ended.exit_code}"

    def _store(self, sandbox: Sandbox, ended: Ended, run: _Printed) -> JobOutcome:
        """Check what the run left, and store it; Broken when it did not do what it declares."""
        begun = self.workshop.clock.monotonic()
        made = self._collect(sandbox)
        trace = self._trace(sandbox)
        self._upload(sandbox, made)
        stdout, stderr = run.logs()
        key = key_after_run(self.action, trace)
        message = self._compare(key, made) if self.order.no_cache else ""
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
        )
        failpoint.hit("worker.uploaded")
        message = self._keep(result) or message
        failpoint.hit("worker.stored")
        return self._end("executed", result=result, message=message, printed=run)

    def _keep(self, result: ActionResult) -> str:
        """Have later builds find a result; a remark when that could not be done, since nothing is wrong with it."""
        results, trace = self.workshop.results, result.trace
        try:
            self.ticket.patiently(lambda: results.put(result, replace=self.order.no_cache))
            if trace is not None:
                where = trace_key(body_of(self.action), self._primary())
                self.ticket.patiently(lambda: results.add_trace(where, trace))
        except (StoreUnavailable, LocalError) as error:
            return f"its result is not kept for later builds: {error.what}"
        return ""

    def _collect(self, sandbox: Sandbox) -> tuple[Output, ...]:
        complaints: list[str] = []
        made: tuple[Output, ...] = ()
        try:
            made = outputs.collect(sandbox.tree, self.action.outputs)
        except Broken as error:
            complaints.append(str(error))
        try:
            sandbox.refuse_undeclared()
        except Broken as error:
            complaints.append(str(error))
        if complaints:
            raise Broken("; ".join(complaints))
        return made

    def _trace(self, sandbox: Sandbox) -> Trace | None:
        if self.action.depfile is None:
            return given_trace(self.action)
        data = outputs.read(sandbox.tree, self.action.depfile, _DEPFILE_LIMIT)
        if data is None:
            raise Broken(f"it did not write its depfile {self.action.depfile}")

        def content(item: Input) -> bytes:
            return self._content(sandbox, item)

        text = data.decode("utf-8", "replace")
        return trace_of(self.action, text, str(sandbox.tree), self.workshop.prober, content)

    def _content(self, sandbox: Sandbox, item: Input) -> bytes:
        """The bytes of an input: those in the sandbox, unless the command changed its copy."""
        try:
            data = outputs.read(sandbox.tree, item.path, _SOURCE_LIMIT)
        except Broken:
            data = None
        if data is not None and hashing.of_bytes(data) == item.hash:
            return data
        return self.ticket.patiently(lambda: self.workshop.blobs.get(item.hash))

    def _upload(self, sandbox: Sandbox, made: tuple[Output, ...]) -> None:
        put_file = self.workshop.blobs.put_file
        for output in made:
            try:
                self.bytes_up += self.ticket.patiently(partial(put_file, output.hash, sandbox.tree / output.path))
            except BlobCorrupt as error:
                raise Broken(f"its output {output.path} changed while it was stored") from error

    def _compare(self, key: str, made: tuple[Output, ...]) -> str:
        """A remark when a stored result of the same key holds other bytes."""
        hit = self.ticket.patiently(lambda: self.workshop.results.get(key))
        if hit is None:
            return ""
        before = {output.path: output.hash for output in hit.result.outputs}
        differing = [output.path for output in made if before.get(output.path, output.hash) != output.hash]
        return f"not deterministic: the same command made other bytes of {', '.join(differing)}" if differing else ""

    def _primary(self) -> list[Input]:
        own = frozenset(self.action.primary)
        return [item for item in self.action.inputs if item.path in own]

    def _end(
        self,
        status: Status,
        *,
        message: str = "",
        exit_code: int = 0,
        result: ActionResult | None = None,
        missing: tuple[str, ...] = (),
        wanted: tuple[str, ...] = (),
        printed: _Printed | None = None,
    ) -> JobOutcome:
        stdout, stderr = printed.logs() if printed else (Log(), Log())
        return JobOutcome(
            job=self.order.job,
            attempt=self.order.attempt,
            status=status,
            result=result,
            exit_code=exit_code,
            message=message,
            stdout=stdout,
            stderr=stderr,
            missing=missing,
            wanted=wanted,
            worker=self.workshop.name,
            seconds=self.workshop.clock.monotonic() - self.started,
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
        )


class _Printed:
    """What a run printed: read once, stored once."""

    def __init__(self, run: CommandRun, sandbox: Sandbox, ended: Ended) -> None:
        self._run, self._cut, self._tree = run, ended.cut, str(sandbox.tree)
        self._data = tuple(printed(path, sandbox.tree) for path in (sandbox.stdout, sandbox.stderr))
        self._logs: tuple[Log, Log] | None = None

    def logs(self) -> tuple[Log, Log]:
        """Both streams, stored."""
        if self._logs is None:
            self._logs = (self._log(0), self._log(1))
        return self._logs

    def lacked_space(self, ended: Ended) -> bool:
        """Whether it says so, or was killed for writing into a mapped file what there was no space for."""
        return ended.signal == signal.SIGBUS or any(_NO_SPACE in data for data in self._data)

    def _log(self, stream: int) -> Log:
        run = self._run
        log, moved = run.ticket.patiently(lambda: log_of(self._data[stream], self._cut[stream], run.workshop.blobs))
        run.bytes_up += moved
        return log

    def wanted(self, complaint: str) -> tuple[str, ...]:
        """The files it, or we, complained about and it was not given."""
        given = {item.path for item in self._run.action.inputs}
        texts = (complaint, *(data.decode("utf-8", "replace") for data in reversed(self._data)))
        found = dict.fromkeys(path for text in texts for path in wanted(text, self._tree))
        return tuple(path for path in found if path not in given)
