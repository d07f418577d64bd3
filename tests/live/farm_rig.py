"""A farm for tests: a broker, stand-in worker processes, and a build that talks to them; all ended by process id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cli import servers
from coordinator.dispatch.fanout import FarmPerformer
from coordinator.dispatch.performer import JobStarted, Report, Warned
from shared import queue
from shared.errors import WindrowError
from shared.model.action import Action
from shared.model.job import JobOrder, JobOutcome
from shared.queue import Beat
from shared.settings import FarmSettings
from shared.storage.blobs import BlobStore
from tests.live.standin_worker import FolderBlobs
from tests.services import running_valkey
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
HEARTBEAT = 0.2
TOOLS = ("gcc",)
PLATFORM = "testing-gcc"


def settings(broker: str, *, grace: float = 8.0, patience: float = 10.0) -> FarmSettings:
    """Settings under which everything is noticed soon."""
    return FarmSettings(broker, worker_grace=grace, broker_patience=patience, heartbeat=HEARTBEAT)


class Build:
    """A build: hands jobs over and keeps what it hears."""

    def __init__(
        self,
        farm: FarmSettings,
        blobs: Path,
        *,
        place: str = "",
        platform: str = PLATFORM,
        tools: Sequence[str] = TOOLS,
        store: BlobStore | None = None,
    ) -> None:
        self.id, self.platform = f"test-{uuid.uuid4().hex[:8]}", platform
        self.outcomes: list[JobOutcome] = []
        self.started: list[JobStarted] = []
        self.warnings: list[str] = []
        self.errors: list[WindrowError] = []
        self._lock = threading.Lock()
        self.performer = FarmPerformer(
            farm,
            build=self.id,
            place=place or self.id,
            platform=platform,
            tools=tools,
            blobs=store or FolderBlobs(blobs),  # type: ignore[arg-type]
        )

    def hear(self, report: Report) -> None:
        with self._lock:
            if isinstance(report, JobOutcome):
                self.outcomes.append(report)
            elif isinstance(report, JobStarted):
                self.started.append(report)
            elif isinstance(report, Warned):
                self.warnings.append(report.text)
            else:
                self.errors.append(report)

    def order(self, job: str, *argv: str, env: Iterable[tuple[str, str | None]] = ()) -> JobOrder:
        action = Action("command", argv or ("noop",), tuple(env), (job,), None, self.platform, (), ())
        return JobOrder(self.id, job, 1, action, 60.0)

    def submit(self, job: str, *argv: str) -> None:
        self.performer.submit([self.order(job, *argv)])

    def wait(self, count: int, seconds: float = 18.0) -> Counter[str]:
        """Job names by outcomes, once there are so many; an error ends the wait."""
        until(lambda: len(self.outcomes) >= count or self.errors, seconds=seconds, what=f"{count} outcomes")
        assert not self.errors, [(e.what, e.why) for e in self.errors]
        return Counter(outcome.job for outcome in self.outcomes)

    def wait_started(self, job: str, seconds: float = 10.0) -> str:
        """The worker that was last heard to begin a job."""
        until(lambda: any(s.job == job for s in list(self.started)), seconds=seconds, what=f"{job} to begin")
        return [s.worker for s in self.started if s.job == job][-1]

    def wait_error(self, seconds: float = 18.0) -> WindrowError:
        until(lambda: self.errors, seconds=seconds, what="an error")
        return self.errors[0]


class Rig:
    """The farm of one test."""

    def __init__(self, folder: Path, *, persist: bool = False) -> None:
        self.folder, self._persist = folder, persist
        self._stack = ExitStack()
        self.valkey = self._stack.enter_context(running_valkey(folder / "valkey", persist=persist))
        self.redis = queue.connect(self.valkey.url)
        self._stack.callback(self.redis.close)
        self.workers: list[subprocess.Popen[bytes]] = []

    def worker(self, *, slots: int = 2, toolchain: str = "testing", finish: float = 30.0) -> subprocess.Popen[bytes]:
        """A worker process; it may not be there yet."""
        number = len(self.workers)
        command = [sys.executable, str(ROOT / "tests/live/standin_worker.py"), "--broker", self.valkey.url]
        command += ["--slots", str(slots), "--heartbeat", str(HEARTBEAT), "--finish", str(finish)]
        command += ["--journal", str(self.folder / "journal"), "--blobs", str(self.folder / "blobs")]
        with open(self.folder / f"worker{number}.log", "wb") as log:
            process = subprocess.Popen([*command, "--toolchain", toolchain], stdout=log, stderr=log)
        self.workers.append(process)
        return process

    def ready(self, count: int) -> list[Beat]:
        """The heartbeats, once so many workers serve the platform."""

        def serving() -> list[Beat]:
            beats = [beat for beat in self.beats() if PLATFORM in beat.platforms]
            return beats if len(beats) == count else []

        return until(serving, what=f"{count} workers\n{self.logs()}")

    def beats(self) -> list[Beat]:
        keys = [queue.worker_key(name.decode()) for name in self.redis.zrange(queue.WORKERS, 0, -1)]
        return queue.read_beats(self.redis.mget(keys)) if keys else []

    def process_of(self, worker: str) -> subprocess.Popen[bytes]:
        """The process of a worker by its id."""
        pid = int(worker.split("-")[-2])
        return next(process for process in self.workers if process.pid == pid)

    @contextmanager
    def build(self, *, grace: float = 8.0, patience: float = 10.0, **more: object) -> Iterator[Build]:
        farm = settings(self.valkey.url, grace=grace, patience=patience)
        build = Build(farm, self.folder / "blobs", **more)  # type: ignore[arg-type]
        build.performer.open(build.hear)
        try:
            yield build
        finally:
            build.performer.close()

    def kill_valkey(self) -> None:
        """kill -9, and wait until it is gone."""
        os.kill(self.valkey.pid, signal.SIGKILL)
        until(lambda: not servers.alive(self.valkey), what="the broker to die")

    def start_valkey(self) -> None:
        """On the same port, with what it kept if it persists."""
        self.valkey = servers.start_valkey(self.folder / "valkey", port=self.valkey.port, persist=self._persist)
        self._stack.callback(servers.stop, self.valkey)

    def performed(self) -> Counter[str]:
        """How often each job was begun by a worker, by name."""
        journal = self.folder / "journal"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return Counter(line.split()[1] for line in lines)

    def logs(self) -> str:
        return "\n".join(path.read_text()[-1500:] for path in sorted(self.folder.glob("worker*.log")))

    def close(self) -> None:
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)
        self._stack.close()
