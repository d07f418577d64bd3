"""A worker process for tests of the farm: everything real but what performs jobs.

A job's argv says what it does: `noop`; `wait` (until cancelled, or until the file named next exists);
`ended` (a signal ends it once the file named next exists, if that was not there before); `die` (kills this process, unless the file named next exists). Every try appends a line to the journal.
"""

# ruff: noqa: E402 - run as a script, it must find our packages first

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path[:] = [str(Path(__file__).resolve().parents[2]), *sys.path]

from shared.errors import BlobMissing, ToolMissing
from shared.model.action import ActionResult, Output
from shared.model.job import JobOrder, JobOutcome
from shared.storage.blobs import BlobStore
from workers import app


class FolderBlobs:
    """The part of a BlobStore that messages use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, hash_: str) -> bytes:
        try:
            return (self._folder / hash_).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissing(hash_) from error

    def put(self, hash_: str, data: bytes) -> int:
        (self._folder / hash_).write_bytes(data)
        return len(data)


class StandIn:
    """See the module."""

    def __init__(self, worker: str, journal: Path | None) -> None:
        self._worker = worker
        self._fd = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if journal is not None else -1
        self._stops: dict[str, threading.Event] = defaultdict(threading.Event)

    def perform(self, order: JobOrder, ran: Callable[[], None]) -> JobOutcome:
        if self._fd >= 0:
            os.write(self._fd, f"{order.build} {order.job} {order.attempt} {os.getpid()}\n".encode())
        name, *rest = order.action.argv
        if name == "die" and not (rest and Path(rest[0]).exists()):
            if rest:
                Path(rest[0]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "ended" and not Path(rest[0]).exists():
            while not Path(rest[0]).exists():
                self._stops[order.build].wait(0.01)
            told = {"message": "killed by SIGTERM", "interrupted": True, "worker": self._worker}
            return JobOutcome(order.job, order.attempt, "failed", exit_code=143, **told)
        if name == "store":
            ran()  # and then it takes long to store what was made
        if name in ("wait", "store"):
            stop = self._stops[order.build]
            while not stop.wait(0.01):
                if rest and Path(rest[0]).exists():
                    break
            else:
                return JobOutcome(order.job, order.attempt, "lost", message="cancelled", worker=self._worker)
        if name == "fail":
            return JobOutcome(order.job, order.attempt, "failed", exit_code=1, worker=self._worker)
        # A job named unsteady makes other bytes at each try.
        content = f"{order.attempt:064x}" if name == "unsteady" else "0" * 64
        result = ActionResult(order.job, (Output("out", f"sha256:{content}", 0),))
        return JobOutcome(order.job, order.attempt, "executed", result, worker=self._worker)

    def cancel(self, build: str) -> None:
        # As of a real worker: what begins later is not concerned.
        self._stops.pop(build, threading.Event()).set()

    def cancel_all(self) -> None:
        for stop in list(self._stops.values()):
            stop.set()

    def close(self) -> None:
        self.cancel_all()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--broker", required=True)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--heartbeat", type=float, default=0.2)
    parser.add_argument("--finish", type=float, default=30.0)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--blobs", type=Path, required=True)
    parser.add_argument("--toolchain", default="testing", help="its fingerprint is this and the tool names")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(levelname)s %(message)s")

    def fingerprint(tools: Sequence[str]) -> str:
        if "nowhere" in tools:
            raise ToolMissing("nowhere is not on this machine")
        return "-".join([options.toolchain, *tools])

    blobs: BlobStore = FolderBlobs(options.blobs)  # type: ignore[assignment]
    return app.run(
        app.WorkerOptions(
            options.broker, options.slots, heartbeat=options.heartbeat, finish_seconds=options.finish, name="standin"
        ),
        blobs=blobs,
        performer=lambda worker: StandIn(worker, options.journal),
        fingerprint=fingerprint,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
