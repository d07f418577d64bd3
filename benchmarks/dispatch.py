"""How many jobs that do nothing the farm dispatches a second: through FarmPerformer, a real broker and a worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psutil

from benchmarks import timing
from benchmarks.rig import ROOT, WINDROW, environment
from benchmarks.timing import ROUNDS, Row, Sample
from cli import servers
from coordinator.dispatch.fanout import FarmPerformer
from coordinator.dispatch.performer import Report
from shared.errors import WindrowError
from shared.model.action import Action, Input
from shared.model.job import JobOrder, JobOutcome
from shared.settings import FarmSettings
from shared.storage.blobs import BlobStore
from shared.storage.disk import DiskBlobs
from tests.live.standin_worker import FolderBlobs

PLATFORM = "testing-gcc"
JOBS, SLOTS, BATCH = 10_000, 2, 64


def order(build: str, number: int) -> JobOrder:
    """A small compile job's order; the worker does nothing for it."""
    inputs = tuple(Input(f"include/header{i}.h", f"sha256:{i:064x}", 1000) for i in range(4))
    name = f"build/file{number}.o"
    action = Action("noop", ("noop", name), (), (name,), None, PLATFORM, inputs, tuple(i.path for i in inputs))
    return JobOrder(build, f"cc:{name}", 1, action, 60.0)


class Drive:
    """Keeps twice as many batches under way as there are slots, as the dispatcher does."""

    def __init__(self, performer: FarmPerformer, orders: list[JobOrder], batch: int) -> None:
        self._performer, self._orders, self._batch = performer, orders, batch
        self._left, self._out = len(orders), 0
        self._lock, self.done = threading.Lock(), threading.Event()
        self.error: WindrowError | None = None

    def hear(self, report: Report) -> None:
        if isinstance(report, WindrowError):
            self.error = report
            self.done.set()
        elif isinstance(report, JobOutcome):
            with self._lock:
                self._left -= 1
                self._out -= 1
                if self._left == 0:
                    self.done.set()
            self.feed()

    def feed(self) -> None:
        with self._lock:
            credit = 2 * self._performer.slots()
            size = max(1, min(self._batch, -(-len(self._orders) // credit)))
            while self._orders and self._out + size <= credit * size:
                orders = self._orders[:size]
                del self._orders[:size]
                self._out += len(orders)
                self._performer.submit(orders)


def run(broker: str, blobs: BlobStore, jobs: int) -> float:
    """Seconds for one build of so many jobs."""
    build = f"bench-{uuid.uuid4().hex[:8]}"
    settings = FarmSettings(broker=broker)
    performer = FarmPerformer(settings, build=build, place=build, platform=PLATFORM, tools=["gcc"], blobs=blobs)
    drive = Drive(performer, [order(build, n) for n in range(jobs)], BATCH)
    performer.open(drive.hear)
    began = time.perf_counter()
    drive.feed()
    if not drive.done.wait(120) or drive.error is not None:
        raise RuntimeError(f"did not finish: {drive.error and (drive.error.what, drive.error.why)}")
    seconds = time.perf_counter() - began
    if performer.resubmitted:
        print(f"  {performer.resubmitted} jobs were sent again", file=sys.stderr)
    performer.close()
    return seconds


def cpu(pid: int) -> float:
    """Seconds of processor time a process has used."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@contextmanager
def worker(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process while the block runs."""
    with (folder / "worker.log").open("ab") as log:
        started = subprocess.Popen(command, stderr=log, env=environment(folder / "cache"))
    try:
        yield started
    finally:
        started.terminate()
        started.wait(60)


def tables(home: Path) -> list[Row]:
    """A worker of two slots, real but for what performs jobs, and a real one; jobs that do nothing."""
    small = cast("BlobStore", FolderBlobs(home / "blobs"))  # as much of one as messages need
    stand_in = [sys.executable, str(ROOT / "tests" / "live" / "standin_worker.py"), "--heartbeat", "1"]
    stand_in += ["--blobs", str(home / "blobs")]
    real = [*WINDROW, "worker", "--storage", f"file://{home}/store", "--platform", PLATFORM]
    valkey = servers.start_valkey(home / "valkey")
    found: list[Row] = []
    try:
        store = DiskBlobs(home / "store")
        for who, words, blobs in (("stand-in worker", stand_in, small), ("real worker", real, store)):
            command = [*words, "--broker", valkey.url, "--slots", str(SLOTS)]
            with worker(command, home) as process:
                found += _measure(who, valkey.url, blobs, [os.getpid(), process.pid, valkey.pid])
    finally:
        servers.stop(valkey)
    return found


def _measure(who: str, broker: str, blobs: BlobStore, pids: list[int]) -> list[Row]:
    run(broker, blobs, 200)  # warm
    before = [cpu(pid) for pid in pids]
    seconds = [run(broker, blobs, JOBS) for _ in range(ROUNDS)]
    micro = [1e6 * (cpu(pid) - was) / (JOBS * ROUNDS) for pid, was in zip(pids, before, strict=True)]

    def note(_who: str, row: Row) -> str:
        spent = "coordinator {:.0f}, worker {:.0f}, broker {:.0f}".format(*micro)
        return f"{JOBS / row.wall:,.0f} jobs/s; CPU µs a job: {spent}"

    return timing.rows("10,000 jobs", {who: [Sample(one) for one in seconds]}, note=note)
