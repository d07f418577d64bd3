"""LocalFarm: broker, bucket and workers on this machine, started, known again, and stopped.

State in one folder: `broker/` and `storage/` (each with the record that cli/servers.py keeps), `workers/`,
`workers.json`, `credentials` (0600), `written.json`: settings files that were written for projects.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from cli import children, credentials, servers
from cli.children import Child
from cli.servers import Server
from shared import queue
from shared.clock import Clock
from shared.errors import ConfigError, LocalError, named
from shared.queue import Beat
from shared.settings_keys import LOCAL_FILE

BUCKET = "windrow"
READY_SECONDS = 30.0
STOP_SECONDS = 8.0
_POLL = 0.05
_MARK = "# Written by `windrow farm up --write`; `windrow farm down` removes it.\n"
_LAUNCHER = Path(__file__).resolve().parent.parent / "windrow.py"


class FarmState(msgspec.Struct, frozen=True):
    """What there is of a farm on this machine. beats: heartbeats of its live workers."""

    up: bool
    folder: str
    broker: str = ""
    endpoint: str = ""
    workers: tuple[int, ...] = ()
    beats: tuple[Beat, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything runs."""
        return bool(self.broker or self.endpoint or self.workers)


class LocalFarm:
    """The farm whose state is in `folder`; LocalError when a part does not start, ToolMissing without servers."""

    def __init__(self, folder: Path, *, clock: Clock, environ: Mapping[str, str]) -> None:
        self.folder, self._clock, self._environ = folder.absolute(), clock, environ

    @property
    def credentials_file(self) -> Path:
        """Where the bucket's keys are."""
        return self.folder / "credentials"

    def up(self, *, workers: int, slots: int) -> tuple[FarmState, bool]:
        """Start what is needed; the farm, and whether it was up before. What ran of half a farm is stopped first."""
        with self._locked():
            before = self.status()
            if before.up:
                return before, True
            ports = self._ports()
            self._stop()
            try:
                self._start(workers, slots, ports)
            except BaseException:
                self._stop()
                raise
            return self.status(), False

    def down(self) -> FarmState:
        """Stop everything; what there was. Stored blobs stay for the next time."""
        with self._locked():
            before = self.status()
            self._stop()
            for path in self._written():
                if path.exists() and path.read_text().startswith(_MARK):
                    path.unlink()
            (self.folder / "written.json").unlink(missing_ok=True)
            return before

    def status(self) -> FarmState:
        """What runs now."""
        broker, storage = (self._running(self.folder / part) for part in ("broker", "storage"))
        workers = self._workers()
        alive = [child for child in workers if children.alive(child)]
        beats = self._beats(broker.url, {child.process.pid for child in alive}) if broker else ()
        return FarmState(
            up=bool(broker and storage and alive and len(alive) == len(workers)),
            folder=str(self.folder),
            broker=broker.url if broker else "",
            endpoint=storage.url if storage else "",
            workers=tuple(child.process.pid for child in alive),
            beats=beats,
        )

    def settings(self, state: FarmState) -> dict[str, dict[str, str]]:
        """What a project's settings need to use it."""
        storage = {
            "url": f"s3://{BUCKET}",
            "endpoint": state.endpoint,
            "credentials_file": str(self.credentials_file),
        }
        return {"storage": storage, "farm": {"broker": state.broker}}

    def write(self, state: FarmState, root: Path) -> Path:
        """Have the project in `root` use the farm; ConfigError when its windrow.local.toml is somebody else's."""
        path, text = root / LOCAL_FILE, as_toml(self.settings(state))
        if path.exists() and not path.read_text().startswith(_MARK):
            raise ConfigError(
                f"{path} is there already",
                at=str(path),
                why="it was not written by `farm up`",
                fix=f"add to it:\n{text}",
            )
        try:
            path.write_text(_MARK + text)
        except OSError as error:
            raise named(error, path, "writing") from error
        written = sorted({*map(str, self._written()), str(path)})
        (self.folder / "written.json").write_bytes(msgspec.json.encode(written))
        return path

    # -- parts --------------------------------------------------------------------------------------

    def _start(self, workers: int, slots: int, ports: tuple[int, int]) -> None:
        keys = credentials.keys(self.credentials_file)
        if keys is None:
            keys = f"WR{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30)
            credentials.write(self.credentials_file, *keys)
        broker = self._on_port(
            ports[0], lambda port: servers.start_valkey(self.folder / "broker", port=port, persist=True)
        )
        storage = self._on_port(
            ports[1],
            lambda port: servers.start_seaweedfs(
                self.folder / "storage", port=port, access_key=keys[0], secret_key=keys[1], bucket=BUCKET
            ),
        )
        (self.folder / "ports.json").write_bytes(msgspec.json.encode([broker.port, storage.port]))
        started: list[Child] = []
        for number in range(1, workers + 1):
            started.append(self._start_worker(number, slots, broker, storage))
            (self.folder / "workers.json").write_bytes(msgspec.json.encode(started))
        self._wait_for(started, broker)

    def _start_worker(self, number: int, slots: int, broker: Server, storage: Server) -> Child:
        folder = self.folder / "workers"
        folder.mkdir(exist_ok=True)
        command = [sys.executable, str(_LAUNCHER), "worker", "--broker", broker.url, "--storage", f"s3://{BUCKET}"]
        command += ["--endpoint", storage.url, "--slots", str(slots), "--name", f"farm{number}"]
        command += ["--cache-dir", str(folder / "cache"), "--sandbox-dir", str(folder / "sandbox")]
        environ = {name: value for name, value in self._environ.items() if not name.startswith(("AWS_", "WINDROW_"))}
        environ["WINDROW_STORAGE__CREDENTIALS_FILE"] = str(self.credentials_file)
        return children.start(command, folder / f"worker{number}.log", environ)

    def _wait_for(self, workers: list[Child], broker: Server) -> None:
        pids = {child.process.pid for child in workers}
        deadline = self._clock.monotonic() + READY_SECONDS
        while len(self._beats(broker.url, pids)) < len(workers):
            dead = next((child for child in workers if not children.alive(child)), None)
            if dead is not None or self._clock.monotonic() > deadline:
                log = Path((dead or workers[0]).log)
                lines = log.read_text(errors="replace").splitlines()[-5:]
                raise LocalError("a worker did not start", at=str(log), why=" | ".join(lines) or "its log is empty")
            self._clock.sleep(_POLL)

    def _on_port(self, port: int, start: Any) -> Server:
        """A server on the port it had before, so that settings stay true; on another if that one is taken."""
        if port:
            try:
                return start(port)  # type: ignore[no-any-return]
            except LocalError:
                return start(0)  # type: ignore[no-any-return]
        return start(0)  # type: ignore[no-any-return]

    def _stop(self) -> None:
        children.stop(self._workers(), patience=STOP_SECONDS, clock=self._clock)
        (self.folder / "workers.json").unlink(missing_ok=True)
        for part in ("storage", "broker"):
            server = servers.recorded(self.folder / part)
            if server is not None:
                servers.stop(server, clock=self._clock)

    def _running(self, folder: Path) -> Server | None:
        server = servers.recorded(folder)
        return server if server is not None and servers.alive(server) else None

    def _workers(self) -> list[Child]:
        return self._read("workers.json", list[Child]) or []

    def _written(self) -> list[Path]:
        return [Path(name) for name in self._read("written.json", list[str]) or []]

    def _ports(self) -> tuple[int, int]:
        return self._read("ports.json", tuple[int, int]) or (0, 0)

    def _read(self, name: str, kind: Any) -> Any:
        try:
            return msgspec.json.decode((self.folder / name).read_bytes(), type=kind)
        except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
            return None
        except OSError as error:
            raise named(error, self.folder / name, "reading") from error

    def _beats(self, broker: str, pids: set[int]) -> tuple[Beat, ...]:
        import redis  # noqa: PLC0415 - not for a farm that is down

        client = queue.connect(broker)
        try:
            members: Any = client.zrange(queue.WORKERS, 0, -1)
            values: Any = client.mget([queue.worker_key(m.decode()) for m in members]) if members else []
        except redis.RedisError:
            return ()
        finally:
            client.close()
        return tuple(beat for beat in queue.read_beats(values) if beat.pid in pids)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise named(error, self.folder, "writing") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def as_toml(settings: Mapping[str, Mapping[str, str]]) -> str:
    """Tables of strings as TOML; a JSON string is a TOML string."""
    tables = []
    for table, values in settings.items():
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]
        tables.append("\n".join([f"[{table}]", *lines, ""]))
    return "\n".join(tables)
