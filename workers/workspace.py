"""WorkspaceRun: one run of a command in the real tree itself; its outputs are stored, its result is not."""

from __future__ import annotations

import os
import posixpath
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

import msgspec

from shared import hashing
from shared.depfile import located
from shared.errors import named
from shared.keys import key_after_run
from shared.model.action import Action, ActionResult, Input, Output, Timings, Trace, unmarked
from shared.model.job import JobOutcome, Status
from shared.model.path import is_normal
from workers.execute.slot import Ended, Request, Slot
from workers.execute.supervisor import descendants, kill_all
from workers.execute.trace import trace_of
from workers.named import named_by
from workers.outcome import Told, outcome_of
from workers.printed import Printed, complaint, interrupted
from workers.sandbox.broken import Broken
from workers.sandbox.sandbox import check_paths
from workers.ticket import Ticket

_POLL = 0.1  # seconds between looks at whether anybody still waits


class WorkspaceRun:
    """On the machine and in the folder that the order is of. One use."""

    def __init__(self, ticket: Ticket, workspace: Path) -> None:
        self._ticket, self._workspace = ticket, workspace
        self._order, self._action, self._blobs = ticket.order, ticket.order.action, ticket.workshop.blobs
        self._root = self._action.root or str(workspace)
        self._started = ticket.workshop.clock.monotonic()
        self._begun = 0  # in nanoseconds by the file system
        self._read: Action | None = None  # with what it says it has read besides what it was said to read
        self._lacked: tuple[str, ...] = ()  # these

    def outcome(self) -> JobOutcome:
        """Run it."""
        home = self._ticket.workshop.home()
        try:
            check_paths(self._action)
        except Broken as error:
            return self._end("failed", message=str(error))
        place = home.place()
        try:
            self._begin(place)
            with self._ticket.workshop.pool.slot() as slot:
                return self._run(slot, place)
        finally:
            home.discard(place)

    def _begin(self, place: Path) -> None:
        try:
            place.mkdir(mode=0o700)
            self._begun = place.stat().st_ctime_ns
            self._prepare()
        except OSError as error:
            raise named(error, error.filename or place, "writing") from error

    def _prepare(self) -> None:
        """Make the folders that ninja would make, and the files that the action brings along."""
        action = self._action
        texts = dict(action.files)
        for path in (*action.outputs, *texts, *((action.depfile,) if action.depfile else ())):
            self._at(posixpath.dirname(path)).mkdir(parents=True, exist_ok=True)
        self._at(action.cwd).mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            self._at(path).write_bytes(os.fsencode(unmarked(text, self._root)))

    def _at(self, path: str) -> Path:
        return self._workspace / path if path else self._workspace

    def _run(self, slot: Slot, place: Path) -> JobOutcome:
        if self._ticket.cancelled():
            return self._end("lost", message="cancelled")
        cwd, streams = self._at(self._action.cwd), (place / "stdout", place / "stderr")
        argv = tuple(unmarked(word, self._root) for word in self._action.argv)
        if self._action.console:
            return self._talk(argv, cwd, streams)
        ended = slot.run(
            Request(
                argv=argv,
                cwd=str(cwd),
                env=self._environment(str(cwd)),
                stdout=str(streams[0]),
                stderr=str(streams[0]),
                timeout=self._order.timeout,
                # The user's own shells work there too.
                folder="",
            ),
            self._ticket.cancelled,
        )
        return self._judged(argv, ended, streams)

    def _judged(self, argv: tuple[str, ...], ended: Ended, streams: tuple[Path, Path]) -> JobOutcome:
        """What came of a command that has ended."""
        if ended.lost or ended.cancelled:
            return self._end("lost", message="cancelled" if ended.cancelled else "the supervisor of its slot died")
        if ended.log_errno:
            raise named(OSError(ended.log_errno, ""), streams[0], "writing")
        printed = Printed(self._ticket, streams, ended, (self._root,))
        if ended.error or ended.exit_code != 0:
            code, message = complaint(argv[0], self._order.timeout, ended)
            stopped = interrupted(ended)
            return self._end("failed", message=message, exit_code=code, printed=printed, interrupted=stopped)
        for path, _ in self._action.files:
            self._at(path).unlink(missing_ok=True)
        try:
            result = self._result(ended, printed)
            return self._end("executed", result=result, printed=printed, wanted=self._lacked)
        except Broken as error:
            return self._end("failed", message=str(error), printed=printed)

    def _talk(self, argv: tuple[str, ...], cwd: Path, streams: tuple[Path, Path]) -> JobOutcome:
        """Run a command that has the terminal: it may ask, is heard at once, and gets Ctrl-C like this process."""
        begun = self._ticket.workshop.clock.monotonic()
        deadline = begun + self._order.timeout
        sys.stdout.flush()
        try:
            with subprocess.Popen(argv, cwd=cwd, env=self._environment(str(cwd))) as process:
                timed_out = False
                while True:
                    try:
                        process.wait(_POLL)
                        break
                    except subprocess.TimeoutExpired:
                        timed_out = self._ticket.workshop.clock.monotonic() > deadline
                        if timed_out or self._ticket.cancelled():
                            _end(process)
        except OSError as error:
            raise named(error, cwd, "starting a command in") from error
        ended = Ended(
            exit_code=process.returncode if process.returncode >= 0 else -1,
            signal=max(0, -process.returncode),
            timed_out=timed_out,
            cancelled=self._ticket.cancelled(),
            seconds=self._ticket.workshop.clock.monotonic() - begun,
        )
        return self._judged(argv, ended, streams)

    def _environment(self, cwd: str) -> dict[str, str]:
        """That of this process, as any build tool would pass it on, and what the action sets or unsets."""
        env = {**os.environ, "PWD": cwd}
        for name, value in self._action.env:
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def _result(self, ended: Ended, printed: Printed) -> ActionResult:
        stdout, stderr = printed.logs()
        trace, beyond = self._trace(printed)
        action = self._read or self._action
        made = (self._output(path) for path in dict.fromkeys((*action.outputs, *action.kept_depfile)))
        return ActionResult(
            key=key_after_run(action, trace, beyond),
            outputs=tuple(output for output in made if output is not None),
            stdout=stdout,
            stderr=stderr,
            trace=trace,
            timings=Timings(run=ended.seconds),
            worker=self._ticket.workshop.name,
            beyond=beyond,
        )

    def _trace(self, said: Printed) -> tuple[Trace | None, str]:
        """What it read as far as it says so, and the state of that beyond the tree."""
        paths = named_by(self._action, self._workspace, said)
        if paths is None:
            return None, ""
        workshop = self._ticket.workshop
        reads = located(paths, (self._root,), self._action.links, self._action.cwd, self._action.mounts)
        # It may read what lies in none of the project's folders: here all of them are.
        action = msgspec.structs.replace(self._with_lacked(reads.inside), mounts=())
        trace = trace_of(action, reads, workshop.prober, self._content)
        read = workshop.beyond.read(trace.beyond, self._begun)
        return msgspec.structs.replace(trace, beyond=read.paths), read.state

    def _with_lacked(self, paths: frozenset[str]) -> Action:
        """The action with files that it names and nobody foresaw: all of the tree was there to be read."""
        action = self._action
        known = {*action.outputs, action.depfile, *(item.path for item in action.inputs), *dict(action.files)}
        self._lacked = tuple(filter(is_normal, sorted(paths.difference(known))))
        found = [item for path in self._lacked if (item := self._input(path))]
        if not found:
            return action
        self._read = msgspec.structs.replace(action, inputs=tuple(sorted((*action.inputs, *found))))
        return self._read

    def _input(self, path: str) -> Input | None:
        """A file of the tree as it is now; None for what is none."""
        place = self._at(path)
        try:
            mode = place.lstat().st_mode
            if not stat.S_ISREG(mode):
                return None
            return Input(path, *hashing.of_file(place), "exec" if mode & stat.S_IXUSR else "file")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise named(error, place, "reading") from error

    def _content(self, item: Input) -> bytes:
        try:
            return self._at(item.path).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise named(error, self._at(item.path), "reading") from error

    def _output(self, path: str) -> Output | None:
        """What stands in an output's place; None for nothing, and for what is neither file nor symlink."""
        place = self._at(path)
        try:
            mode = place.lstat().st_mode
            if stat.S_ISLNK(mode):
                target = os.readlink(place)  # noqa: PTH115 - Path.readlink tidies the text
                data = os.fsencode(target)
                self._keep(hash_ := hashing.of_bytes(data), lambda: self._blobs.put(hash_, data))
                return Output(path, hash_, len(data), "link", target)
            if not stat.S_ISREG(mode):
                return None
            hash_, size = hashing.of_file(place)
            self._keep(hash_, lambda: self._blobs.put_file(hash_, place))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise named(error, place, "reading") from error
        return Output(path, hash_, size, "exec" if mode & stat.S_IXUSR else "file")

    def _keep(self, hash_: str, store: Callable[[], int]) -> None:
        """Have the store hold what was made, unless it was made as before."""
        if self._order.again or not self._blobs.believes(hash_):
            self._ticket.patiently(store)

    def _end(self, status: Status, **told: Unpack[Told]) -> JobOutcome:
        return outcome_of(self._ticket, status, started=self._started, **told)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and what it started; its group is that of this process, as having the terminal takes."""
    process.send_signal(signal.SIGSTOP)  # so that it starts nothing more
    groups, pids = descendants(process.pid)
    kill_all(os.killpg, groups)
    kill_all(os.kill, pids)
    process.kill()
