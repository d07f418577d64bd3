"""LocalFarm: broker, bucket and workers on this machine, started, known again, and stopped.

State in one folder: `broker/` and `storage/` (each with the record that cli/servers.py keeps), `workers/`,
`workers.json`, `ports.json`, `written.json`: settings files that were written for projects. Secret, and only for this
user to read: `credentials` of the bucket, `broker.url` with the broker's password, and the servers' records.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cli import servers
from cli.crew import Crew, Workplace
from cli.servers import Server
from shared.atomic import write_atomic
from shared.clock import Clock
from shared.errors import ConfigError, LocalError, named
from shared.queue import Beat
from shared.settings_keys import LOCAL_FILE
from shared.storage import credentials
from shared.storage.credentials import Keys

BUCKET = "windrow"
WORKERS = 2
_MARK = "# Written by `windrow farm up --write`; `windrow farm down` removes it.\n"


class FarmState(msgspec.Struct, frozen=True):
    """What there is of a farm on this machine. broker: its URL, with the password. beats: of its live workers."""

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
        self.folder, self._clock = folder.absolute(), clock
        self._crew = Crew(self.folder / "workers", self.folder / "workers.json", clock=clock, environ=environ)

    @property
    def credentials_file(self) -> Path:
        """Where the bucket's keys are."""
        return self.folder / "credentials"

    @property
    def broker_file(self) -> Path:
        """Where the broker's URL is, with its password."""
        return self.folder / "broker.url"

    def up(self, *, workers: int | None = None, slots: int) -> tuple[FarmState, FarmState]:
        """Start, or stop, what is needed to have so many workers; the farm, and what there was of it before.

        workers: None keeps as many as were started, dead ones replaced. Those that run keep their slots. Without one
        of its servers everything else is stopped and started anew.
        """
        with self._locked():
            before = self.status()
            count = workers or len(self._crew.members()) or WORKERS
            broker, storage = self._servers()
            if broker and storage:
                self._crew.reach(count, slots=slots, at=self._workplace(broker, storage))
                return self.status(), before
            self._stop()
            try:
                broker, storage = self._start()
                self._crew.reach(count, slots=slots, at=self._workplace(broker, storage))
            except BaseException:
                self._stop()
                raise
            state = self.status()
            for path in self._written():
                self._write(state, path)
            return state, before

    def down(self) -> FarmState:
        """Stop everything; what there was. Stored blobs stay for the next time."""
        with self._locked():
            before = self.status()
            self._stop()
            for path in self._written():
                path.unlink()
            (self.folder / "written.json").unlink(missing_ok=True)
            return before

    def status(self) -> FarmState:
        """What runs now."""
        broker, storage = self._servers()
        members, alive = self._crew.members(), self._crew.alive()
        return FarmState(
            up=bool(broker and storage and alive and len(alive) == len(members)),
            folder=str(self.folder),
            broker=broker.url if broker else "",
            endpoint=storage.url if storage else "",
            workers=tuple(child.process.pid for child in alive),
            beats=self._crew.beats(broker.url, alive) if broker else (),
        )

    def settings(self, state: FarmState) -> dict[str, dict[str, str]]:
        """What a project's settings need to use it; the broker's URL is a secret."""
        storage = {
            "url": f"s3://{BUCKET}",
            "endpoint": state.endpoint,
            "credentials_file": str(self.credentials_file),
        }
        return {"storage": storage, "farm": {"broker": state.broker}}

    def may_write(self, root: Path) -> Path:
        """Where `write` writes for the project in `root`; it raises what that would, and writes nothing that stays."""
        path = root / LOCAL_FILE
        if path.exists() and not _ours(path):
            raise ConfigError(
                f"{path} is there already",
                at=str(path),
                why="it was not written by `farm up`",
                fix="move it away and try again, or set the variables that `windrow farm up` prints",
            )
        try:
            tempfile.TemporaryFile(dir=root).close()
        except OSError as error:
            raise named(error, path, "writing") from error
        return path

    def write(self, state: FarmState, root: Path) -> Path:
        """Have the project in `root` use the farm.

        ConfigError when its windrow.local.toml is somebody else's, LocalError when it cannot be written.
        """
        path = self.may_write(root)
        self._write(state, path)
        written = sorted({*map(str, self._written()), str(path)})
        write_atomic(self.folder / "written.json", msgspec.json.encode(written), durable=False)
        return path

    # -- parts --------------------------------------------------------------------------------------

    def _start(self) -> tuple[Server, Server]:
        if self.credentials_file.exists():
            keys = credentials.read(self.credentials_file)
        else:
            keys = Keys(f"WR{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30))
            credentials.write(self.credentials_file, keys)
        password, ports = self._password() or secrets.token_urlsafe(30), self._ports()

        def start_broker(port: int) -> Server:
            return servers.start_valkey(self.folder / "broker", port=port, persist=True, password=password)

        def start_storage(port: int) -> Server:
            folder = self.folder / "storage"
            return servers.start_seaweedfs(folder, port=port, keys=keys, bucket=BUCKET)

        broker, storage = self._on_port(ports[0], start_broker), self._on_port(ports[1], start_storage)
        write_atomic(self.broker_file, f"{broker.url}\n".encode(), durable=False, mode=0o600)
        write_atomic(self.folder / "ports.json", msgspec.json.encode([broker.port, storage.port]), durable=False)
        return broker, storage

    def _on_port(self, port: int, start: Any) -> Server:
        """A server on the port it had before, so that settings stay true; on another if that one is taken."""
        if port:
            try:
                return start(port)  # type: ignore[no-any-return]
            except LocalError:
                return start(0)  # type: ignore[no-any-return]
        return start(0)  # type: ignore[no-any-return]

    def _stop(self) -> None:
        self._crew.stop()
        for part in ("storage", "broker"):
            server = servers.recorded(self.folder / part)
            if server is not None:
                servers.stop(server, clock=self._clock)

    def _servers(self) -> tuple[Server | None, Server | None]:
        """Broker and storage, as far as they run."""
        broker, storage = (servers.recorded(self.folder / part) for part in ("broker", "storage"))
        return (
            broker if broker and servers.alive(broker) else None,
            storage if storage and servers.alive(storage) else None,
        )

    def _workplace(self, broker: Server, storage: Server) -> Workplace:
        return Workplace(broker.url, f"s3://{BUCKET}", storage.url, str(self.credentials_file))

    def _write(self, state: FarmState, path: Path) -> None:
        text = _MARK + as_toml(self.settings(state))
        write_atomic(path, text.encode(), durable=False, mode=0o600)

    def _password(self) -> str:
        """The broker's password of the last time; "" if there was none, or others could read it."""
        try:
            with self.broker_file.open(encoding="utf-8") as file:
                seen_by_others = os.fstat(file.fileno()).st_mode & 0o077
                return "" if seen_by_others else urlsplit(file.read().strip()).password or ""
        except (FileNotFoundError, ValueError):
            return ""
        except OSError as error:
            raise named(error, self.broker_file, "reading") from error

    def _written(self) -> list[Path]:
        """The settings files that were written for projects, and still are as they were."""
        return [path for name in self._read("written.json", list[str]) or [] if _ours(path := Path(name))]

    def _ports(self) -> tuple[int, int]:
        return self._read("ports.json", tuple[int, int]) or (0, 0)

    def _read(self, name: str, kind: Any) -> Any:
        try:
            return msgspec.json.decode((self.folder / name).read_bytes(), type=kind)
        except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
            return None
        except OSError as error:
            raise named(error, self.folder / name, "reading") from error

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


def _ours(path: Path) -> bool:
    """Whether a file was written by write()."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").startswith(_MARK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise named(error, path, "reading") from error


def as_toml(settings: Mapping[str, Mapping[str, str]]) -> str:
    """Tables of strings as TOML; a JSON string is a TOML string."""
    tables = []
    for table, values in settings.items():
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]
        tables.append("\n".join([f"[{table}]", *lines, ""]))
    return "\n".join(tables)
