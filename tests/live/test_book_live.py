"""A book against a real bucket and a real farm: how long it takes, what moves, and that it is the same everywhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
import redis

from tests.console import Console
from tests.counting_proxy import counting
from tests.scenarios.book import Book
from tests.scenarios.lessons.steps import Site, make_long, peak, table
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


def test_w1_04_a_second_ingest_puts_nothing_into_the_bucket(bucket: S3Service, tmp_path: Path) -> None:
    """Requests as a proxy counts them: nothing is written, deleted or asked after file by file."""
    with counting(bucket.endpoint) as proxy:
        book = book_at(msgspec.structs.replace(bucket, endpoint=proxy.url), tmp_path, "counted")
        first = book.ingest()
        began = proxy.take()
        book.age()
        book.ingest()  # what was just written when it was read is read again
        proxy.take()

        again = book.ingest()
        quiet = proxy.take()
        for path in book.source.rglob("*"):
            os.utime(path, (1_700_000_001, 1_700_000_001))
        touched = book.ingest()
        touching = proxy.take()
        book.edit(book.lesson(1, 1, 1), "one body")
        book.ingest()
        edited = proxy.take()

    assert (first["added"], first["sent"]) == (20, 20)
    assert began["PUT"] >= 20 + 3  # blobs; manifest, pointer, state
    assert (again["status"], touched["status"], again["hashed"]) == ("no-changes", "no-changes", 0)
    assert touched["hashed"] >= 20
    for counted in (quiet, touching):
        assert set(counted) <= {"GET", "HEAD"}
        assert sum(counted.values()) <= 3
    assert 4 <= edited["PUT"] < began["PUT"] - 15


def test_w1_19_a_lesson_of_50_mb_needs_less_than_256_mb_of_memory_in_a_bucket(
    bucket: S3Service, tmp_path: Path
) -> None:
    book = book_at(bucket, tmp_path, "long", parts=1, chapters=1, lessons=1)
    make_long(book)

    for words in (("ingest",), ("hydrate",), ("build", "-q")):
        memory = peak(book, *words)
        assert memory < 256 << 20, f"windrow {words[0]}: {memory:,} bytes"
    other = book_at(bucket, tmp_path / "other", "long", parts=0)
    assert peak(other, "hydrate") < 256 << 20
    assert other.tree_hash() == book.tree_hash()


def test_w1_21_keys_reach_no_record_event_log_or_message(bucket: S3Service, broker: str, tmp_path: Path) -> None:
    """A book on a farm, one page of which fails: all objects of the bucket, all the broker hears, all files here."""
    book = book_at(bucket, tmp_path, "hushed", broker=broker, parts=1, chapters=1, lessons=2)
    (book.source / book.lesson(1, 1, 1)).write_bytes(b"# Caf\xe9\n")
    with overheard(broker) as heard:
        crew = workers(book.console, bucket, "hushed", broker, 1)
        said = [book.run("ingest", "--json"), book.run("hydrate"), book.run("build", "-k", "-v", code=1)]
        (book.source / book.lesson(1, 1, 1)).write_bytes(b"# Cafe\n")
        said += [book.run("ingest"), book.run("hydrate", "-v"), book.run("build", "--json"), book.run("events", "list")]
        end(crew)

    stored = objects(bucket, "hushed")
    assert heard
    kept = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    texts = {str(number): (one.out + one.err).encode() for number, one in enumerate(said)}
    assert {name.rpartition(".")[2] for name in stored if "/events/" in name} == {"jsonl"}
    assert any(b"not UTF-8" in data for name, data in stored.items() if "-progress" in name)
    for secret in (bucket.secret_key.encode(), b"AWS4-HMAC-SHA256", bucket.access_key.encode()):
        assert [name for name, data in {**stored, **kept, **texts}.items() if secret in data] == []
        assert [line for line in heard if secret in line] == []


def objects(bucket: S3Service, prefix: str) -> dict[str, bytes]:
    """Every object under a prefix."""
    client = boto3.client(
        "s3", endpoint_url=bucket.endpoint, region_name="us-east-1",
        aws_access_key_id=bucket.access_key, aws_secret_access_key=bucket.secret_key,
    )  # fmt: skip
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
    return {key: client.get_object(Bucket=bucket.bucket, Key=key)["Body"].read() for key in keys}


@contextmanager
def overheard(broker: str) -> Iterator[list[bytes]]:
    """All that is said to a broker while the block runs."""
    client = redis.Redis.from_url(broker)
    heard: list[bytes] = []
    with client.monitor() as monitor:
        listener = threading.Thread(target=lambda: heard.extend(_until_end(monitor)), daemon=True)
        listener.start()
        yield heard
        client.echo("the end of the test")
        listener.join(timeout=30)
    assert not listener.is_alive()
    client.close()


def _until_end(monitor: Any) -> Iterator[bytes]:
    while True:
        command = str(monitor.next_command()["command"])
        if "the end of the test" in command:
            return
        yield command.encode()


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
        console.start(
            *words, "--slots", "2", "--name", f"w{number}", "--cache-dir", str(console.cache / f"worker{number}")
        )
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
    made = [
        {p: a["hash"] for p, a in book.run("show", "--json").json()["artefacts"].items()}
        for book in (on_disk, in_bucket)
    ]
    assert made[0] == made[1]
