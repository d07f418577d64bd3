"""Running: a command under way, with every process it was ever seen to have, and how it ended."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.waiting import until

KILLED = -signal.SIGKILL
PATIENCE = 60.0  # seconds: a build that takes longer hangs
Begun = Callable[[], list[str]]


class Built(NamedTuple):
    """How a build ended: exit code (minus a signal), all it printed, the jobs that began meanwhile."""

    code: int
    output: str
    began: tuple[str, ...]

    @property
    def report(self) -> dict[str, Any]:
        """The object of --json."""
        report: dict[str, Any] = json.loads(self.output[self.output.index("{\n") :])
        return report


class Running:
    """A command under way, and all processes it was ever seen to have; `begun` tells the jobs that began so far."""

    def __init__(
        self, argv: Sequence[str], folder: Path, environ: Mapping[str, str], output: Path, begun: Begun
    ) -> None:
        self._output, self._begun, self._since = output, begun, len(begun())
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                argv,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._family: set[psutil.Process] = set()

    @property
    def over(self) -> bool:
        """Whether the command itself has ended."""
        return self.process.poll() is not None

    def look(self) -> None:
        """Note its descendants."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._family.update(psutil.Process(self.process.pid).children(recursive=True))

    def family(self) -> list[psutil.Process]:
        """Those of its processes that still run."""
        own = [psutil.Process(self.process.pid)] if not self.over else []
        return own + [process for process in self._family if alive(process)]

    def supervisors(self) -> list[psutil.Process]:
        """Those of them that look after commands; its family comes and goes while one looks."""
        self.look()
        return [process for process in self.family() if any("supervisor.py" in word for word in words(process))]

    def kill(self, *, whole: bool = False) -> Built:
        """kill -9 it; `whole`: with everything that it started, at one stroke."""
        self.look()
        if whole:
            # Stopped first, so that none can do anything about the end of another.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for process in (psutil.Process(self.process.pid), *self._family):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.send_signal(number)
        self.process.kill()
        return self.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the command itself."""
        self.look()
        self.process.send_signal(number)

    def await_stopped(self) -> None:
        """Wait until it has stopped itself."""

        def stopped() -> bool:
            assert not self.over, self.text()
            return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

        until(stopped, seconds=PATIENCE, what="the process to stop itself")

    def wait(self) -> Built:
        """How it ended; AssertionError when it does not."""

        looks = itertools.cycle((True, False, False, False))

        def ended() -> bool:
            if self.over:
                return True
            if next(looks):
                self.look()
            return False

        try:
            until(ended, seconds=PATIENCE, what="the end of the build")
        except AssertionError as error:
            raise AssertionError(f"{error}\nbegun: {self._begun()}\n{self.text()}") from None
        return Built(self.process.returncode, self.text(), tuple(self._begun()[self._since :]))

    def text(self) -> str:
        """What it printed so far."""
        return self._output.read_text(errors="replace")


def words(process: psutil.Process) -> list[str]:
    """All that tells whose process it is: its command line, folder and environment."""
    told: list[str] = []
    for ask in (process.cmdline, process.cwd, lambda: list(process.environ().values())):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, OSError):
            found = ask()
            told += [found] if isinstance(found, str) else found
    return told


def alive(process: psutil.Process) -> bool:
    """Whether it runs, and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
