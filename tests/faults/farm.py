"""Farm: a broker, a bucket and real workers that may be killed and started again where they were."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli import servers
from cli.servers import Server
from shared import queue
from shared.errors import ToolMissing
from shared.queue import Beat
from shared.storage.credentials import Keys
from tests.faults.running import alive
from tests.faults.site import LAUNCHER, Site
from tests.waiting import until

BUCKET = "farm"
STORE = f"s3://{BUCKET}/faults"
PLATFORM = "faults"
HEARTBEAT = 0.4  # seconds: a worker is missed after two
SLOTS = 2
# What a worker takes the time of day to be, from the one place that asks the system for it.
SKEWED = """
import windrow
from shared.clock import SystemClock
told = SystemClock.now
SystemClock.now = lambda clock: told(clock) + {skew}
windrow.main()
"""


class FarmWorker:
    """A worker process. `number` is its place: the machine it would be on."""

    def __init__(self, farm: Farm, number: int, failpoint: str, skew: float) -> None:
        folder = farm.folder / f"machine{number}"
        folder.mkdir(exist_ok=True)
        self.number, self.sandbox, self.log = number, folder / "sandbox", folder / "log"
        start = ["-c", SKEWED.format(skew=skew)] if skew else [str(LAUNCHER)]
        command = [sys.executable, *start, "worker", "--broker", farm.broker.url, "--storage", STORE]
        command += ["--endpoint", farm.store.url, "--slots", str(SLOTS), "--name", f"machine{number}"]
        command += ["--cache-dir", str(folder / "cache"), "--sandbox-dir", str(self.sandbox), "--platform", PLATFORM]
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **farm.keys, "WINDROW_FAILPOINT": failpoint}
        environ["WINDROW_FARM__HEARTBEAT"] = str(HEARTBEAT)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def family(self) -> list[psutil.Process]:
        """Its supervisors and their jobs."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self, *, whole: bool = False) -> list[psutil.Process]:
        """kill -9 it; `whole`: at one stroke with its supervisors and jobs. Those, as they were."""
        family = self.family()
        if whole:
            # Stopped first, so that none can do anything about the end of another.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for process in (psutil.Process(self.process.pid), *family):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.send_signal(number)
        self.process.kill()
        self.process.wait(10)
        return family

    def freeze(self) -> None:
        """SIGSTOP for the worker; its jobs go on."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


class Farm:
    """Everything in one folder; servers keep their ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        access, secret = f"AK{secrets.token_hex(8)}", secrets.token_hex(20)
        self.keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
        self.workers: list[FarmWorker] = []
        self.sites = 0
        self.broker = self._start_broker(0)
        self.store = self._start_store(0)
        self.redis = queue.connect(self.broker.url)

    def site(self, folder: Path, **environ: str) -> Site:
        """A project of its own that is built here."""
        self.sites += 1
        settings = {
            "WINDROW_STORAGE__URL": STORE,
            "WINDROW_STORAGE__ENDPOINT": self.store.url,
            "WINDROW_FARM__BROKER": self.broker.url,
            "WINDROW_FARM__HEARTBEAT": str(HEARTBEAT),
            "WINDROW_FARM__WORKER_GRACE": "20",
            "WINDROW_FARM__BROKER_PATIENCE": "30",
        }
        return Site(folder, {**settings, **self.keys, **environ}, name=f"site{self.sites}")

    # -- workers ----------------------------------------------------------------------------------

    def ensure(self, count: int) -> list[FarmWorker]:
        """Have so many workers, all of them well; the dead are replaced, the superfluous ended."""
        for worker in [worker for worker in self.workers if worker.over]:
            self.workers.remove(worker)
        for worker in [worker for worker in self.workers if worker.number >= count]:
            worker.kill(whole=True)
            self.workers.remove(worker)
        for number in range(count):
            if number not in [worker.number for worker in self.workers]:
                self.start(number)
        self.ready(*self.workers)
        return self.workers

    def start(self, number: int, failpoint: str = "", skew: float = 0.0) -> FarmWorker:
        """A worker on a machine; it may not be there yet."""
        worker = FarmWorker(self, number, failpoint, skew)
        self.workers.append(worker)
        return worker

    def ready(self, *workers: FarmWorker) -> None:
        """Wait until these, and no others, serve."""
        wanted = {worker.process.pid for worker in workers}

        def serving() -> bool:
            return {beat.pid for beat in self.beats() if PLATFORM in beat.platforms} == wanted

        until(serving, seconds=30, what=f"workers {wanted}\n{self.logs()}")

    def beats(self) -> list[Beat]:
        """The heartbeats there are."""
        members: Any = self.redis.zrange(queue.WORKERS, 0, -1)
        values: Any = self.redis.mget([queue.worker_key(name.decode()) for name in members]) if members else []
        return queue.read_beats(values)

    def runner(self, job: str, site: Site) -> FarmWorker:
        """The worker that runs a job of a site."""
        (shell, *_) = until(lambda: site.shells(job), what=f"a shell for {job}")
        return next(worker for worker in self.workers if shell in worker.family())

    def at_rest(self) -> bool:
        """Whether no process works in any job's folder."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    alive(process)
                    and process.cwd().startswith(f"{self.folder}/machine")
                    and "/sandbox/" in process.cwd()
                ):
                    return False
        return True

    def rubbish(self) -> list[str]:
        """Folders of jobs that are over, and of dead workers beside those of live ones."""
        found: list[Path] = []
        for worker in (worker for worker in self.workers if not worker.over):
            homes = list(worker.sandbox.glob("w-*"))
            own = [home for home in homes if home.name.split("-")[1] == str(worker.process.pid)]
            found += [place for home in own for place in home.iterdir() if place.is_dir()]
            # A worker sweeps when it makes its own folder, for its first job.
            found += [home for home in homes if own and home not in own]
        return [str(path) for path in found]

    def logs(self) -> str:
        """What the workers said last."""
        return "\n".join(worker.log.read_text(errors="replace")[-1500:] for worker in self.workers)

    # -- servers ----------------------------------------------------------------------------------

    def kill_broker(self) -> None:
        """kill -9, and wait until it is gone."""
        _kill(self.broker)

    def start_broker(self, *, empty: bool = False) -> None:
        """Where it was; with all it had, or with nothing."""
        if empty:
            shutil.rmtree(self.folder / "broker" / "appendonlydir")
        self.broker = self._start_broker(self.broker.port)

    def kill_store(self) -> None:
        """kill -9, and wait until it is gone."""
        _kill(self.store)

    def start_store(self) -> None:
        """Where it was, with all it had."""
        self.store = self._start_store(self.store.port)

    def _start_broker(self, port: int) -> Server:
        return servers.start_valkey(self.folder / "broker", port=port, persist=True)

    def _start_store(self, port: int) -> Server:
        folder = self.folder / "store"
        return servers.start_seaweedfs(folder, port=port, keys=Keys(*self.keys.values()), bucket=BUCKET)

    def mend(self) -> None:
        """Have the servers run again, whatever a test did to them."""
        for server, start in ((self.broker, self.start_broker), (self.store, self.start_store)):
            if servers.alive(server):
                os.kill(server.pid, signal.SIGCONT)
            else:
                start()

    def close(self) -> None:
        """Leave nothing running."""
        for worker in self.workers:
            if not worker.over:
                worker.kill(whole=True)
        self.redis.close()
        for server in (self.broker, self.store):
            if servers.alive(server):
                os.kill(server.pid, signal.SIGCONT)
            servers.stop(server)


def _kill(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not servers.alive(server), what=f"the end of {server.program}")


@contextlib.contextmanager
def running_farm(folder: Path) -> Iterator[Farm]:
    """A farm while the block runs; its keys are in this process's environment."""
    try:
        farm = Farm(folder)
    except ToolMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}: {error.fix}")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in farm.keys.items():
            patch.setenv(name, value)
        try:
            yield farm
        finally:
            farm.close()


def rests(farm: Farm) -> None:
    """No job runs on the farm, and nothing of one is left."""
    until(farm.at_rest, what="the end of every job on the farm")
    until(lambda: not farm.rubbish(), what=f"the removal of {farm.rubbish()}")
