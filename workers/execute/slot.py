"""Slot and SlotPool: the worker's side of the supervisors, one command at a time each."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from shared import process as processes
from shared.clock import SystemClock
from shared.errors import LocalError
from workers.sandbox.strays import end_all_in

STREAM_LIMIT = 8 << 20  # bytes of each stream that are kept
# Programs that a slot works with: for commands, and for calls.
COMMANDS = (sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py")))
CALLS = (sys.executable, "-I", "-S", str(Path(__file__).with_name("callers.py")), json.dumps(sys.path))
_POLL = 0.1  # seconds between looks at `cancelled`
_LOOK = 1.0  # seconds between looks whether its supervisor was stopped
_LOOKS = 3  # in a row that find it stopped until it is told to go on
_PATIENCE = 60.0  # seconds beyond the time limit until a supervisor that does not answer is given up
UNSEEN = -1  # in place of an errno
_FAREWELL = 15.0  # seconds for a supervisor to kill what runs and end


class View(msgspec.Struct, frozen=True):
    """What a command sees elsewhere than it is: folders and where they appear.

    keep: folders that stay where they are, should they be hidden by that. user: it takes a user namespace.
    """

    binds: tuple[tuple[str, str], ...]
    keep: tuple[str, ...] = ()
    user: bool = False


class Request(msgspec.Struct, frozen=True):
    """A command to run: working directory, the whole environment, files for its output, time limit in seconds.

    A stream's file is made only if there is output; `limit` bytes of each are kept. With one file
    for both they are one. folder: where nothing may be left working once its supervisor died: None for cwd, "" for
    nowhere.
    """

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    stdout: str
    stderr: str
    timeout: float
    limit: int = STREAM_LIMIT
    folder: str | None = None
    view: View | None = None


class Ended(msgspec.Struct, frozen=True):
    """How a command ended; no process of it is left.

    exit_code: -1 unless it exited. signal: what killed it, else 0. error, error_errno: why it could not be
    started; UNSEEN when its view could not be had. log_errno: why its output could not be kept. cut: bytes
    dropped of stdout and stderr. stragglers: processes it left behind. lost: its supervisor died. max_rss_kb is
    at least the supervisor's own.
    """

    exit_code: int = -1
    signal: int = 0
    timed_out: bool = False
    cancelled: bool = False
    seconds: float = 0.0
    user: float = 0.0
    sys: float = 0.0
    max_rss_kb: int = 0
    stragglers: int = 0
    error: str = ""
    error_errno: int = 0
    log_errno: int = 0
    cut: tuple[int, int] = (0, 0)
    lost: bool = False


class Slot:
    """One command at a time, through a supervisor that is started when first needed and again when it died."""

    def __init__(self, program: tuple[str, ...] = COMMANDS) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._writing = threading.Lock()
        self._withdrawn = False
        self._asked = False

    @property
    def started(self) -> bool:
        """Whether it has a supervisor."""
        return self._process is not None

    def start(self) -> None:
        """Have a supervisor; returns at once, while it starts."""
        if self._process is not None and self._process.poll() is None:
            return
        self._discard()
        try:
            self._process = subprocess.Popen(
                self._program,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                # Nothing of this process's environment, which may hold secrets, but what Python needs to start.
                env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise LocalError(f"a job's supervisor cannot be started: {error}", at=sys.executable) from error

    def run(self, request: Request, cancelled: Callable[[], bool] | None = None) -> Ended:
        """Run a command to its end; `cancelled` is asked every tenth of a second, if given."""
        if self._withdrawn and request.view is None:
            # It lives in a user namespace for good, where not all is as usual.
            self._discard()
        self.start()
        self._asked = True
        self._withdrawn = self._withdrawn or (request.view is not None and request.view.user)
        # Not msgspec's encoder: a PATH may hold bytes that are no UTF-8.
        sent = self._send(json.dumps(msgspec.to_builtins(request)).encode() + b"\n")
        line = self._answer(request.timeout + _PATIENCE, cancelled) if sent else None
        if line is None:
            self._discard()
            folder = request.cwd if request.folder is None else request.folder
            if folder:
                end_all_in(folder)
            return Ended(lost=True)
        return msgspec.json.decode(line, type=Ended)

    def _answer(self, patience: float, cancelled: Callable[[], bool] | None) -> bytes | None:
        assert self._process is not None
        assert self._process.stdout is not None
        source = self._process.stdout
        poll = select.poll()
        poll.register(source, select.POLLIN)
        asked, waited, line = False, 0.0, b""
        step, look, stopped = _POLL if cancelled else _LOOK, _LOOK, 0
        while waited < patience:
            if cancelled is not None and not asked and cancelled():
                asked, step = True, _LOOK
                self.cancel()
            if not poll.poll(step * 1000):
                waited += step
                if waited >= look:
                    look = waited + _LOOK
                    stopped = stopped + 1 if processes.stopped(self._process.pid) else 0
                    if stopped >= _LOOKS:
                        # Nothing of ours stops it; as long as it stands still, no limit of the job is kept.
                        self._process.send_signal(signal.SIGCONT)
                continue
            data = source.read(1 << 16)
            if not data:
                return None
            line += data
            if line.endswith(b"\n"):
                return line
        return None

    def _send(self, line: bytes) -> bool:
        with self._writing:
            if self._process is None or self._process.stdin is None:
                return False
            try:
                view = memoryview(line)
                while view:
                    view = view[self._process.stdin.write(view) :]
            except (BrokenPipeError, ValueError):
                # It died, or another thread closed the slot: the caller reports the command as lost.
                return False
            return True

    def cancel(self) -> None:
        """Kill what runs, from any thread; nothing happens when nothing does."""
        self._send(b'{"cancel":true}\n')

    def part(self) -> None:
        """Have the supervisor end, and do not wait for it."""
        with self._writing:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                # One that somebody stopped would not see it.
                self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill what runs and end the supervisor."""
        self._discard()

    def _discard(self) -> None:
        with self._writing:
            process, self._process = self._process, None
        asked, self._asked = self._asked, False
        self._withdrawn = False
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        # One that somebody stopped would not see it.
        process.send_signal(signal.SIGCONT)
        # One that was never asked has nothing to end, and may still be loading what it needs.
        if not asked or not _ended(process.stdout):
            process.kill()
        process.wait()
        process.stdout.close()


def _ended(source: IO[bytes]) -> bool:
    """Whether a supervisor ends soon, as its output does; what it still says is of no interest.

    Popen.wait with a time limit looks every now and then, up to 50 ms apart: as long as many a build takes.
    """
    poll = select.poll()
    poll.register(source, select.POLLIN)
    clock = SystemClock()
    deadline = clock.monotonic() + _FAREWELL
    while (left := deadline - clock.monotonic()) > 0:
        if poll.poll(left * 1000) and not source.read(1 << 16):
            return True
    return False


class SlotPool:
    """A fixed number of slots shared by threads; program: what each works with; first: one that is there already.

    patience: seconds to wait for a supervisor that is there and busy before another one is started.
    """

    def __init__(
        self, size: int, program: tuple[str, ...] = COMMANDS, *, patience: float = 0.0, first: Slot | None = None
    ) -> None:
        self.size, self._patience = size, patience
        self._slots = (first or Slot(program), *(Slot(program) for _ in range(size - 1)))
        self._free = list(self._slots)
        self._changed = threading.Condition()  # guards _free

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """A slot of one's own; waits until one is free."""
        slot = self.acquire()
        try:
            yield slot
        finally:
            self.release(slot)

    def acquire(self) -> Slot:
        """Take a slot, one with a supervisor if there is any; waits until one is free."""
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            if self._patience and not self._ready() and any(slot.started for slot in self._slots):
                self._changed.wait_for(self._ready, self._patience)
                self._changed.wait_for(lambda: self._free)
            # Last in, first out: the fewer supervisors are in use, the fewer are started.
            slot = next((slot for slot in reversed(self._free) if slot.started), self._free[-1])
            self._free.remove(slot)
            return slot

    def _ready(self) -> bool:
        return any(slot.started for slot in self._free)

    def release(self, slot: Slot) -> None:
        """Give a slot back."""
        with self._changed:
            self._free.append(slot)
            self._changed.notify_all()

    def start(self, count: int | None = None) -> None:
        """Have the supervisors of so many slots, or of all, there before the first command; LocalError."""
        for slot in self._slots[:count]:
            slot.start()

    def kill_all(self) -> None:
        """Kill what runs in every slot, from any thread."""
        for slot in self._slots:
            slot.cancel()

    def close(self) -> None:
        """Kill what runs and end the supervisors."""
        self.kill_all()
        with self._changed:
            # A thread may not let go of its slot; its supervisor ends all the same.
            self._changed.wait_for(lambda: len(self._free) == self.size, _FAREWELL)
            free, self._free = self._free, []
        # All at once: waiting for one after the other takes longer than many a build.
        for slot in self._slots:
            slot.part()
        for slot in self._slots:
            slot.close()
        for slot in free:
            self.release(slot)
