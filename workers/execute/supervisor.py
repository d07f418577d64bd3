"""Runs one command at a time for a slot and leaves no process of it alive; a program of its own (python -I -S).

It reads requests from stdin and writes answers to stdout, one JSON object a line:

    {"argv", "cwd", "env", "stdout", "stderr", "timeout", "limit", "view"}     run this
    {"cancel": true}                                                           kill what runs

A view tells which folders are to appear elsewhere for the command; see mounts.py, which is loaded for it.
Orphans of the command become children of this process, so none can get away. End of file on stdin means that the
worker is gone: what runs is killed, and so ends the supervisor. As little of the standard library as will do.
"""

# pathlib would have to be loaded:
# ruff: noqa: PTH100, PTH112, PTH113, PTH120, PTH123, PTH208

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Start = Callable[[dict[str, Any], list["Stream"]], int]

PR_SET_CHILD_SUBREAPER = 36
CHUNK = 1 << 16
UMASK = 0o022
KILL_PATIENCE = 10.0  # seconds for killed processes to be gone
TICK = 1.0  # seconds between looks for orphans that ended
SHORT_TICK = 0.01  # the same, where the system cannot tell when the command ends
BUSY_TRIES = 100  # a program that another thread still writes, 10 ms apart
_spaces: list[Any] = []  # the one Namespaces of this process, once it is needed
DEFAULTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ)


def main(start: Start | None = None) -> int:
    """Serve requests until stdin ends; 1 when a process could not be killed. start: in place of spawn()."""
    os.umask(UMASK)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the worker ends a supervisor, by closing stdin
    adopt_orphans()
    control = Control(0)
    while True:
        request = control.take()
        if request is None:
            return 0
        if "argv" not in request:
            continue
        run = Run(request, control, start or spawn)
        answer = run.perform()
        try:
            os.write(1, json.dumps(answer).encode() + b"\n")
        except BrokenPipeError:
            return 0
        if run.stuck:
            return 1


def adopt_orphans() -> bool:
    """Have orphaned descendants become children of this process; False where the system cannot."""
    try:
        return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


class Control:
    """Requests as they come in."""

    def __init__(self, fd: int) -> None:
        self.fd, self.ended, self._buffer = fd, False, b""

    def fill(self) -> None:
        """Read what is there; blocks when nothing is."""
        data = os.read(self.fd, CHUNK)
        self.ended = not data
        self._buffer += data

    def ready(self) -> dict[str, Any] | None:
        """The next request that is here already."""
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        request: dict[str, Any] = json.loads(line)
        return request

    def take(self) -> dict[str, Any] | None:
        """The next request, or None at the end."""
        while (request := self.ready()) is None and not self.ended:
            self.fill()
        return request


class Stream:
    """One output of the command, to a file; of more than the limit its beginning and its end. No output, no file."""

    def __init__(self, path: str, limit: int) -> None:
        self.path, self.kept, self.dropped, self.errno, self._file = path, 0, 0, 0, -1
        # What went wrong stands at the end as a rule, and what began it at the beginning.
        self.head, self.room, self._tail = limit - limit // 2, limit // 2, bytearray()
        self.source, self.sink = os.pipe()
        os.set_blocking(self.source, False)

    def pump(self) -> bool:
        """Move what is there; False when there will be no more."""
        try:
            data = os.read(self.source, CHUNK)
        except BlockingIOError:
            return True
        keep = data[: self.head - self.kept]
        self._write(keep)
        self._tail += data[len(keep) :]
        self._trim(2 * self.room)
        return bool(data)

    def _trim(self, most: int) -> None:
        over = len(self._tail) - self.room if len(self._tail) > most else 0
        self.dropped += over
        del self._tail[:over]

    def _write(self, data: bytes) -> None:
        try:
            if self._file < 0 and data:
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
            while data and not self.errno:
                count = os.write(self._file, data)
                self.kept += count
                data = data[count:]
        except OSError as error:
            # The command goes on; the answer says that its output could not be kept.
            self.errno = error.errno or errno.EIO

    def drain(self) -> None:
        """Move what was written before the writers died."""
        while select.select([self.source], [], [], 0)[0] and self.pump():
            pass

    def close_sink(self) -> None:
        """The command has it now."""
        os.close(self.sink)

    def close(self) -> None:
        """Done with it."""
        os.close(self.source)
        self._trim(self.room)
        self._write(b"\n[%d bytes were dropped here]\n" % self.dropped * bool(self.dropped) + self._tail)
        if self._file >= 0:
            os.close(self._file)


class Run:
    """One command from start to the death of its last process."""

    def __init__(self, request: dict[str, Any], control: Control, start: Start) -> None:
        self.request, self.control, self.start = request, control, start
        self.pid, self.status, self.stuck, self.timed_out, self.cancelled = 0, -1, False, False, False
        self.user, self.system, self.max_rss_kb, self.stragglers = 0.0, 0.0, 0, 0

    def perform(self) -> dict[str, Any]:
        """Run it; the answer."""
        started = time.monotonic()
        streams = [Stream(self.request[name], self.request["limit"]) for name in ("stdout", "stderr")]
        error, error_errno = "", 0
        try:
            try:
                self.pid = self.start(self.request, streams)
            finally:
                for stream in streams:
                    stream.close_sink()
            try:
                self._wait(streams, started + self.request["timeout"])
            finally:
                self._kill()
            for stream in streams:
                stream.drain()
        except OSError as failure:
            error, error_errno = failure.strerror or str(failure), failure.errno or errno.EIO
        except ValueError as failure:
            # A NUL in a word, an = in the name of a variable.
            error, error_errno = str(failure), errno.EINVAL
        finally:
            for stream in streams:
                stream.close()
        error = "some of its processes could not be killed" if self.stuck else error
        return {
            "exit_code": os.WEXITSTATUS(self.status) if self.pid and os.WIFEXITED(self.status) else -1,
            "signal": os.WTERMSIG(self.status) if self.pid and os.WIFSIGNALED(self.status) else 0,
            "timed_out": self.timed_out,
            "cancelled": self.cancelled,
            "seconds": time.monotonic() - started,
            "user": self.user,
            "sys": self.system,
            "max_rss_kb": self.max_rss_kb,
            "stragglers": self.stragglers,
            "error": error,
            "error_errno": error_errno,
            "log_errno": streams[0].errno or streams[1].errno,
            "cut": [stream.dropped for stream in streams],
        }

    def _wait(self, streams: list[Stream], deadline: float) -> None:
        """Until the command ends, its time is up, or it is to be cancelled."""
        main = watch(self.pid)
        try:
            poll = select.poll()
            sources = {stream.source: stream for stream in streams}
            for fd in (self.control.fd, main, *sources):
                if fd >= 0:
                    poll.register(fd, select.POLLIN)
            self._watch(poll, sources, main, deadline)
        finally:
            if main >= 0:
                os.close(main)

    def _watch(self, poll: select.poll, sources: dict[int, Stream], main: int, deadline: float) -> None:
        tick = TICK if main >= 0 else SHORT_TICK
        now = time.monotonic()
        look = now + tick
        while now < deadline:
            # Also at first: who was slow to start finds command and cancel in one read, and nothing more comes.
            asked = self.control.ready()
            self.cancelled = self.control.ended or (asked is not None and "cancel" in asked)
            if self.cancelled:
                return
            ready = {fd for fd, _ in poll.poll(min(deadline - now, tick) * 1000 + 1)}
            for fd in ready & sources.keys():
                if not sources[fd].pump():
                    poll.unregister(fd)
            if self.control.fd in ready:
                self.control.fill()
            if main in ready:
                return
            now = time.monotonic()
            if now >= look:
                look = now + tick
                if self._bury_orphans():
                    return
        self.timed_out = True

    def _bury_orphans(self) -> bool:
        """Reap ended children but the command, whose pid must stay taken until its group is dead; whether it ended."""
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == self.pid:
                return True
            self._account(*os.wait4(ended.si_pid, 0))
        return False

    def _kill(self) -> None:
        """Kill and reap until there is no child left, nor anything that could become one."""
        deadline = time.monotonic() + KILL_PATIENCE
        pause = 1
        while True:
            kill_all(os.killpg, {self.pid} if self.status < 0 else set())
            if not self._reap():
                return
            groups, pids = descendants(os.getpid())
            kill_all(os.killpg, groups)
            kill_all(os.kill, pids)
            if not self._reap():
                return
            if time.monotonic() > deadline:
                self.stuck = True
                return
            select.select([], [], [], pause / 1000)
            pause = min(pause * 2, 50)

    def _reap(self) -> bool:
        """Reap what is dead; whether a child is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._account(pid, status, usage)
            if pid != self.pid and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                self.stragglers += 1

    def _account(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        if pid == self.pid:
            self.status = status
        self.user += usage.ru_utime
        self.system += usage.ru_stime
        self.max_rss_kb = max(self.max_rss_kb, usage.ru_maxrss)


def watch(pid: int) -> int:
    """A descriptor that is readable once a child has ended; -1 where the system has none."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        return -1


def spawn(request: dict[str, Any], streams: list[Stream]) -> int:
    """Start the command in a session of its own; its pid. OSError when it cannot be."""
    argv, env, leave = request["argv"], request["env"], appear(request["view"])
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, streams[0].sink, 1),
        (os.POSIX_SPAWN_DUP2, streams[request["stderr"] != request["stdout"]].sink, 2),
    ]
    try:
        # posix_spawn has no working directory of its own; this process has one command at a time.
        os.chdir(request["cwd"])
        program = find(argv[0], env.get("PATH", os.defpath))
        for _ in range(BUSY_TRIES):
            try:
                return os.posix_spawn(
                    program, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=DEFAULTS
                )
            except OSError as error:
                if error.errno != errno.ETXTBSY:
                    raise
            select.select([], [], [], 0.01)
        raise OSError(errno.ETXTBSY, os.strerror(errno.ETXTBSY), program)
    finally:
        os.chdir("/")
        leave()


def appear(view: dict[str, Any] | None) -> Callable[[], None]:
    """Be where folders appear as a view wants them; what undoes that. OSError -1 when it cannot be."""
    if view is None:
        return lambda: None
    if not _spaces:
        sys.path.append(os.path.dirname(os.path.abspath(__file__)))
        from mounts import Namespaces  # type: ignore[import-not-found]  # noqa: PLC0415 - only who needs it pays

        _spaces.append(Namespaces(user=view["user"]))
    spaces = _spaces[0]
    spaces.enter(view["binds"], view["keep"])
    return spaces.leave  # type: ignore[no-any-return]


def find(name: str, path: str) -> str:
    """The program a shell would run for a name; FileNotFoundError or PermissionError."""
    if "/" in name:
        return name
    refused = False
    for folder in path.split(os.pathsep):
        program = f"{folder or '.'}/{name}"
        if os.access(program, os.X_OK) and not os.path.isdir(program):
            return program
        refused = refused or os.path.isfile(program)
    if refused:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def kill_all(call: Callable[[int, int], None], numbers: set[int]) -> None:
    """Kill processes, or groups: the kernel does each group at one stroke, so no fork slips through."""
    for number in numbers:
        try:  # noqa: SIM105 - contextlib would have to be loaded
            call(number, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # gone already, or another user's: what is left is counted


def descendants(root: int) -> tuple[set[int], set[int]]:
    """Process groups and pids of everything below a process."""
    children: dict[int, list[tuple[int, int]]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                    stat = file.read()
            except (FileNotFoundError, ProcessLookupError):
                continue
            # The command, in parentheses, may hold blanks and parentheses itself.
            _, parent, group = stat[stat.rindex(b")") + 2 :].split(None, 3)[:3]
            children.setdefault(int(parent), []).append((int(name), int(group)))
    groups, pids = set[int](), set[int]()
    own, queue = os.getpgrp(), [root]
    while queue:
        for pid, group in children.get(queue.pop(), ()):
            queue.append(pid)
            pids.add(pid)
            if group not in (own, 0):
                groups.add(group)
    return groups, pids


if __name__ == "__main__":
    os._exit(main())  # somebody waits for it, and there is nothing to clear up
