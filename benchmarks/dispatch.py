"""How many no-op jobs a second the farm dispatches: 10,000 through FarmPerformer, real workers, a real broker.

python benchmarks/dispatch.py [--jobs 10000] [--workers 1] [--slots 2] [--runs 5] [--batch 64]
"""

# ruff: noqa: E402 - run as a script, it must find our packages first

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *sys.path]

import psutil

from cli import servers
from coordinator.dispatch.fanout import FarmPerformer
from coordinator.dispatch.performer import Report
from shared.errors import WindrowError
from shared.model.action import Action, Input
from shared.model.job import JobOrder, JobOutcome
from shared.settings import FarmSettings
from tests.live.standin_worker import FolderBlobs

PLATFORM = "testing-gcc"


def order(build: str, number: int) -> JobOrder:
    """A small compile job's order; the worker does nothing for it."""
    inputs = tuple(Input(f"include/header{i}.h", f"sha256:{i:064x}", 1000) for i in range(4))
    name = f"build/file{number}.o"
    action = Action("command", ("noop", name), (), (name,), None, PLATFORM, inputs, tuple(i.path for i in inputs))
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


def run(broker: str, folder: Path, jobs: int, batch: int) -> float:
    """Seconds for one build of so many jobs."""
    build = f"bench-{uuid.uuid4().hex[:8]}"
    settings = FarmSettings(broker=broker)
    performer = FarmPerformer(settings, build=build, platform=PLATFORM, tools=["gcc"], blobs=FolderBlobs(folder))
    drive = Drive(performer, [order(build, n) for n in range(jobs)], batch)
    performer.open(drive.hear)
    began = time.perf_counter()
    drive.feed()
    if not drive.done.wait(120) or drive.error is not None:
        raise SystemExit(f"did not finish: {drive.error and (drive.error.what, drive.error.why)}")
    seconds = time.perf_counter() - began
    if performer.resubmitted:
        print(f"  {performer.resubmitted} jobs were sent again", file=sys.stderr)
    performer.close()
    return seconds


def cpu(pid: int) -> float:
    """Seconds of processor time a process has used."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        valkey = servers.start_valkey(folder / "valkey")
        script = str(ROOT / "tests" / "live" / "standin_worker.py")
        command = [sys.executable, script, "--broker", valkey.url, "--slots", str(options.slots), "--heartbeat", "1"]
        command += ["--blobs", str(folder / "blobs")]
        workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(options.workers)]
        try:
            run(valkey.url, folder / "blobs", 200, options.batch)  # warm
            before = cpu(os.getpid()), [cpu(w.pid) for w in workers], cpu(valkey.pid)
            seconds = [run(valkey.url, folder / "blobs", options.jobs, options.batch) for _ in range(options.runs)]
            after = cpu(os.getpid()), [cpu(w.pid) for w in workers], cpu(valkey.pid)
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(60)
            servers.stop(valkey)
    rates = sorted(options.jobs / s for s in seconds)
    total = options.jobs * options.runs
    micro = [1e6 * (after[0] - before[0]) / total, 1e6 * (sum(after[1]) - sum(before[1])) / total]
    micro.append(1e6 * (after[2] - before[2]) / total)
    print(f"{options.jobs} jobs, {options.workers} workers x {options.slots} slots, {options.runs} runs")
    print(f"jobs/s: median {statistics.median(rates):,.0f}, from {rates[0]:,.0f} to {rates[-1]:,.0f}")
    print("CPU µs a job: coordinator {:.0f}, workers {:.0f}, broker {:.0f}".format(*micro))


if __name__ == "__main__":
    main()
