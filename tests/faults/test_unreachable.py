"""A store or broker that is not there, or never answers: exit 32, its name, and within the patience that was set."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import hashing
from shared.clock import SystemClock
from shared.errors import StoreUnavailable
from shared.storage.credentials import Keys
from shared.storage.s3 import S3Blobs
from shared.storage.s3_client import Bucket
from shared.storage.s3_refs import S3Refs
from tests.faults.site import Site
from workers.patience import patiently

pytestmark = [pytest.mark.fault, pytest.mark.timeout(150)]

KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        server.settimeout(0.2)
        held: list[socket.socket] = []

        def accept() -> None:
            while not over.is_set():
                try:
                    held.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()
        for connection in held:
            connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def bucket(port: int) -> dict[str, str]:
    return {
        "WINDROW_STORAGE__URL": "s3://builds/faults",
        "WINDROW_STORAGE__ENDPOINT": f"http://127.0.0.1:{port}",
        **KEYS,
    }


def broker(port: int, patience: float) -> dict[str, str]:
    return {"WINDROW_FARM__BROKER": f"redis://127.0.0.1:{port}/0", "WINDROW_FARM__BROKER_PATIENCE": str(patience)}


def refused(site: Site, *words: str, seconds: float, name: str) -> None:
    began = time.monotonic()
    try:
        built = site.build(*words)
    finally:
        site.end()

    assert built.code == 32, built.output
    assert name in built.output
    assert "fix:" in built.output
    assert "Traceback" not in built.output
    assert time.monotonic() - began < seconds
    assert built.began == ()
    assert not (site.tree / "out").exists()
    assert not site.rubbish()


def test_no_server_where_the_store_should_be(tmp_path: Path) -> None:
    port = free_port()
    refused(Site(tmp_path, bucket(port)), seconds=15, name=f"127.0.0.1:{port}")


def test_no_server_where_the_broker_should_be(tmp_path: Path) -> None:
    port = free_port()
    refused(Site(tmp_path, broker(port, 2)), seconds=15, name=f"127.0.0.1:{port}")


def test_a_store_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder\n")
    site = Site(tmp_path, {"WINDROW_STORAGE__URL": f"file://{tmp_path}/store"})

    built = site.build()

    assert built.code in (32, 36), built.output
    assert f"{tmp_path}/store" in built.output
    site.end()


def test_a_broker_that_never_answers_is_waited_for_as_long_as_was_set(tmp_path: Path, silent: int) -> None:
    refused(Site(tmp_path, broker(silent, 2)), seconds=12, name=f"127.0.0.1:{silent}")


def test_a_store_that_never_answers_is_waited_for_as_long_as_was_set(tmp_path: Path, silent: int) -> None:
    patience = {"WINDROW_FARM__BROKER_PATIENCE": "2"}
    refused(Site(tmp_path, bucket(silent) | patience), seconds=12, name=f"127.0.0.1:{silent}")


def test_a_bucket_that_never_answers_ends_a_job_as_soon(silent: int) -> None:
    """What a worker does with the store: four tries, each of them many, and all within the patience."""
    opened = Bucket("s3://builds/x", endpoint=f"http://127.0.0.1:{silent}", keys=Keys("a", "b"), patience=1.5)
    clock = SystemClock()
    began = clock.monotonic()

    for call in (
        lambda: S3Blobs(opened).get(hashing.EMPTY),
        lambda: S3Refs(opened).swap("projects/p/main/current.json", b"{}", None),
    ):
        with pytest.raises(StoreUnavailable):
            patiently(clock, call, lambda: False, opened.patience)

    assert clock.monotonic() - began < 8


@pytest.mark.slow
def test_a_store_that_never_answers_is_waited_for_half_a_minute_at_most(tmp_path: Path, silent: int) -> None:
    refused(Site(tmp_path, bucket(silent)), seconds=50, name=f"127.0.0.1:{silent}")
