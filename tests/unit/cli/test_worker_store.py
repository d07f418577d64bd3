"""A worker takes no jobs before it can reach the store that they need."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path

from cli import worker
from shared import hashing
from shared.errors import StoreUnavailable
from shared.storage.memory import MemoryBlobs
from tests.console import Console, ended
from tests.fakes.clock import FakeClock

WORDS = ("worker", "--broker", "redis://127.0.0.1:1/0", "--storage", "s3://bucket/p", "--endpoint", "http://127.0.0.1:1")


def test_a_worker_waits_for_its_store_says_so_and_leaves_when_told(tmp_path: Path) -> None:
    console = Console(
        tmp_path, tmp_path / "cache", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", WINDROW_FARM__BROKER_PATIENCE="0.1"
    )
    process = console.start(*WORDS)
    assert process.stderr is not None

    said = process.stderr.readline()
    process.send_signal(signal.SIGTERM)

    assert "waiting for the store: bucket bucket at http://127.0.0.1:1 failed" in said
    assert "it could not be reached; check that the bucket can be reached" in said
    assert ended(process) == (0, "", "")


def test_a_worker_without_keys_for_its_bucket_does_not_begin(tmp_path: Path) -> None:
    said = Console(tmp_path, tmp_path / "cache", AWS_EC2_METADATA_DISABLED="true").run(*WORDS)

    assert said.code == 2
    assert "there are no credentials for bucket bucket" in said.err


def test_it_begins_once_the_store_answers() -> None:
    tries: list[tuple[str, ...]] = []

    class Later(MemoryBlobs):
        def find_missing(self, hashes: Iterable[str]) -> set[str]:
            tries.append(tuple(hashes))
            if len(tries) < 3:
                raise StoreUnavailable("away", why="not yet")
            return super().find_missing(tries[-1])

    worker.await_store(Later(), FakeClock())

    assert tries == [(hashing.of_bytes(b""),)] * 3
