"""A book against a real bucket and a real farm: how long it takes, what moves, and that it is the same everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console import Console
from tests.scenarios.book import Book
from tests.scenarios.test_seed_s0 import Site, table
from tests.services import S3Service, running_seaweedfs, running_valkey

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Service]:
    with running_seaweedfs(tmp_path_factory.mktemp("s3")) as service:
        yield service


def storage(bucket: S3Service, prefix: str, broker: str = "") -> str:
    farm = f'\n[farm]\nbroker = "{broker}"\nheartbeat = 0.2\n' if broker else ""
    return f'\n[storage]\nurl = "{bucket.url(prefix)}"\nendpoint = "{bucket.endpoint}"\n' + farm


def book_at(bucket: S3Service, folder: Path, prefix: str, **more: Any) -> Book:
    return Book(folder, settings=storage(bucket, prefix, more.pop("broker", "")), **bucket.environment(), **more)


def timed(call: Any) -> tuple[Any, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


def test_w1_20_a_thousand_files_in_a_minute_and_ten_in_ten_seconds(bucket: S3Service, tmp_path: Path) -> None:
    """W1-20, and W1-04 and W1-11 against a bucket: 1,000 files, then 10 changed, then 5."""
    book = book_at(bucket, tmp_path, "thousand", parts=10, chapters=10, lessons=8)
    other = book_at(bucket, tmp_path / "other", "thousand", parts=0)

    told, took = timed(book.ingest)
    assert (told["added"], told["sent"]) == (1000, 1000)
    assert took < 60
    assert other.hydrate()["bytes_down"] == told["bytes"]
    for chapter in range(1, 11):
        book.edit(book.lesson(1, chapter, 1), "ten changed files")
    told, took = timed(book.ingest)
    assert (told["updated"], told["bytes"]) == (10, 39_300)
    assert took < 10
    got, took = timed(other.hydrate)
    assert (got["downloaded"], got["bytes_down"]) == (10, 39_300)
    assert took < 10
    for chapter in range(1, 6):
        book.edit(book.lesson(2, chapter, 1), "five changed files")
    assert book.ingest()["bytes"] + other.hydrate()["bytes_down"] < 500_000
    assert book.ingest()["status"] == "no-changes"
    assert other.tree_hash() == book.changes()["manifest_hash"]


def test_w1_20_a_hundred_files_go_the_whole_way_in_half_a_minute(bucket: S3Service, tmp_path: Path) -> None:
    book = book_at(bucket, tmp_path, "hundred", parts=2, chapters=5, lessons=8)

    def whole() -> Any:
        book.ingest()
        book.hydrate()
        return book.build()

    built, took = timed(whole)

    assert (built["executed"], built["layers"]) == (90 + 10 + 2 + 1, [90, 10, 2, 1])
    assert took < 30


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with running_valkey(tmp_path / "valkey") as server:
        yield server.url


def workers(console: Console, bucket: S3Service, prefix: str, broker: str, count: int) -> list[Any]:
    words = ["worker", "--broker", broker, "--storage", bucket.url(prefix), "--endpoint", bucket.endpoint]
    return [
        console.start(*words, "--slots", "2", "--name", f"w{number}", "--cache-dir", str(console.cache / f"worker{number}"))
        for number in range(count)
    ]


def end(processes: list[Any]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 4])
def test_w1_06_the_table_on_a_farm(bucket: S3Service, broker: str, tmp_path: Path, count: int) -> None:
    """The counts are those of an embedded build on disk, with one worker and with four."""
    prefix = f"farm{count}"
    settings = storage(bucket, prefix, broker)
    site = Site(tmp_path, 2, 2, 3, settings=settings, **bucket.environment())
    crew = workers(site.book.console, bucket, prefix, broker, count)
    try:
        table(site, lambda: Book(tmp_path / "fresh", parts=0, settings=settings, **bucket.environment()))
    finally:
        end(crew)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("count", [1, 4])
def test_w1_06_the_whole_table_on_a_farm(bucket: S3Service, broker: str, tmp_path: Path, count: int) -> None:
    prefix = f"whole{count}"
    settings = storage(bucket, prefix, broker)
    site = Site(tmp_path, 12, 10, 10, settings=settings, **bucket.environment())
    site.book.console.seconds = 400.0

    def fresh() -> Book:
        book = Book(tmp_path / "fresh", parts=0, settings=settings, **bucket.environment())
        book.console.seconds = 400.0
        return book

    crew = workers(site.book.console, bucket, prefix, broker, count)
    try:
        table(site, fresh)
    finally:
        end(crew)


def test_the_store_makes_no_difference_to_what_a_revision_says(bucket: S3Service, tmp_path: Path) -> None:
    """S0-20: the same book, on disk and in a bucket, has the same hashes."""
    on_disk, in_bucket = Book(tmp_path / "a"), book_at(bucket, tmp_path / "b", "same")
    for book in (on_disk, in_bucket):
        book.ingest()
        book.hydrate()
        book.build()

    assert on_disk.changes()["manifest_hash"] == in_bucket.changes()["manifest_hash"]
    hashes = [book.run("status", "--json").json()["content_hash"] for book in (on_disk, in_bucket)]
    assert on_disk.hydrated() == in_bucket.hydrated()
    assert hashes[0] != hashes[1]  # windrow.toml is a source, and says where the store is
    made = [{p: a["hash"] for p, a in book.run("show", "--json").json()["artefacts"].items()} for book in (on_disk, in_bucket)]
    assert made[0] == made[1]
