"""Crew: the worker processes of a farm on this machine, brought to the number that is wanted."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cli import children
from cli.children import Child
from shared import queue
from shared.atomic import write_atomic
from shared.clock import Clock
from shared.errors import LocalError, named
from shared.queue import Beat

READY_SECONDS = 30.0
STOP_SECONDS = 8.0
LEAVE_SECONDS = 35.0  # for one that goes while the farm stays: longer than a worker lets its jobs finish
_POLL = 0.05
_LAUNCHER = Path(__file__).resolve().parent.parent / "windrow.py"


class Workplace(msgspec.Struct, frozen=True):
    """What its workers need to know of a farm. broker: the URL with its password."""

    broker: str
    storage: str
    endpoint: str
    credentials_file: str


class Crew:
    """The workers recorded in `record`, whose logs and caches are in `folder`."""

    def __init__(self, folder: Path, record: Path, *, clock: Clock, environ: Mapping[str, str]) -> None:
        self._folder, self._record, self._clock, self._environ = folder, record, clock, environ

    def members(self) -> list[Child]:
        """Those that were started and not stopped; one that died by itself is among them."""
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=list[Child])
        except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
            return []
        except OSError as error:
            raise named(error, self._record, "reading") from error

    def alive(self) -> list[Child]:
        """Those that run."""
        return [child for child in self.members() if children.alive(child)]

    def reach(self, count: int, *, slots: int, at: Workplace) -> None:
        """Have `count` of them run: the last ones leave after their jobs, new ones start and have `slots`.

        LocalError when one does not start; those that ran before then still do.
        """
        there = self.alive()
        stay, started = there[:count], list[Child]()
        self._keep(there)
        children.stop(there[count:], patience=LEAVE_SECONDS, clock=self._clock)
        self._keep(stay)
        try:
            for _ in range(count - len(stay)):
                started.append(self._start([*stay, *started], slots, at))
                self._keep([*stay, *started])
            self._wait_for(started, at.broker)
        except BaseException:
            children.stop(started, patience=STOP_SECONDS, clock=self._clock)
            self._keep(stay)
            raise

    def stop(self) -> None:
        """End them all."""
        children.stop(self.members(), patience=STOP_SECONDS, clock=self._clock)
        self._record.unlink(missing_ok=True)

    def beats(self, broker: str, members: Sequence[Child]) -> tuple[Beat, ...]:
        """The heartbeats of some of them; none when the broker does not answer."""
        import redis  # noqa: PLC0415 - not for a farm that is down

        pids = {child.process.pid for child in members}
        client = queue.connect(broker)
        try:
            names: Any = client.zrange(queue.WORKERS, 0, -1)
            values: Any = client.mget([queue.worker_key(name.decode()) for name in names]) if names else []
        except redis.RedisError:
            return ()
        finally:
            client.close()
        return tuple(beat for beat in queue.read_beats(values) if beat.pid in pids)

    def _keep(self, members: Sequence[Child]) -> None:
        write_atomic(self._record, msgspec.json.encode(members), durable=False, mode=0o600)

    def _start(self, others: Sequence[Child], slots: int, at: Workplace) -> Child:
        self._folder.mkdir(exist_ok=True)
        taken = {child.log for child in others}
        number = next(n for n in itertools.count(1) if str(self._log(n)) not in taken)
        command = [sys.executable, str(_LAUNCHER), "worker", "--storage", at.storage, "--endpoint", at.endpoint]
        command += ["--slots", str(slots), "--name", f"farm{number}"]
        command += ["--cache-dir", str(self._folder / "cache")]
        if chosen := self._environ.get("WINDROW_SANDBOX_DIR"):
            command += ["--sandbox-dir", chosen]
        environ = {name: value for name, value in self._environ.items() if not name.startswith(("AWS_", "WINDROW_"))}
        environ["WINDROW_STORAGE__CREDENTIALS_FILE"] = at.credentials_file
        # Not by --broker: every user of the machine may read that.
        environ["WINDROW_FARM__BROKER"] = at.broker
        return children.start(command, self._log(number), environ)

    def _log(self, number: int) -> Path:
        return self._folder / f"worker{number}.log"

    def _wait_for(self, started: Sequence[Child], broker: str) -> None:
        deadline = self._clock.monotonic() + READY_SECONDS
        while len(self.beats(broker, started)) < len(started):
            dead = next((child for child in started if not children.alive(child)), None)
            if dead is not None or self._clock.monotonic() > deadline:
                log = Path((dead or started[0]).log)
                lines = log.read_text(errors="replace").splitlines()[-5:]
                raise LocalError("a worker did not start", at=str(log), why=" | ".join(lines) or "its log is empty")
            self._clock.sleep(_POLL)
