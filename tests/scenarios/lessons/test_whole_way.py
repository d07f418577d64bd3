"""The whole way of a book from its source to its site, W1-06 and W1-19 to W1-23."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared import hashing
from tests.scenarios.book import Book
from tests.scenarios.lessons.steps import Site, blob, make_long, peak, table

STORE = "store"


def sharing(folder: Path) -> str:
    return f'\n[storage]\nurl = "file://{folder / STORE}"\n'


def test_w1_06_the_eight_rows_of_the_table_scaled_down(tmp_path: Path) -> None:
    site = Site(tmp_path, 2, 2, 3, settings=sharing(tmp_path))

    table(site, lambda: Book(tmp_path / "fresh", parts=0, settings=sharing(tmp_path)))


@pytest.mark.slow
@pytest.mark.timeout(550)
def test_w1_06_the_eight_rows_of_the_table(tmp_path: Path) -> None:
    site = Site(tmp_path, 12, 10, 10, settings=sharing(tmp_path))
    assert (site.pages, site.jobs) == (1320, 1453)

    table(site, lambda: Book(tmp_path / "fresh", parts=0, settings=sharing(tmp_path)))


@pytest.fixture
def long_lesson(tmp_path: Path) -> Book:
    """A book with one lesson of 50 MB."""
    book = Book(tmp_path, parts=1, chapters=1, lessons=1, settings=sharing(tmp_path))
    make_long(book)
    return book


@pytest.mark.slow  # against a bucket, in test_book_live.py, always
def test_w1_19_a_lesson_of_50_mb_needs_less_than_256_mb_of_memory(long_lesson: Book) -> None:
    for words in (("ingest",), ("hydrate",), ("build", "-q")):
        memory = peak(long_lesson, *words)
        assert memory < 256 << 20, f"windrow {words[0]}: {memory:,} bytes"
    assert (long_lesson.folder / "site/content/01-Part/01-Chapter/02-lesson.html").stat().st_size > 50 << 20


def test_w1_21_secrets_of_a_storage_address_are_never_shown(book: Book) -> None:
    secret = "hunter2-of-the-test"
    # A port where nobody listens, and keys in the address: refused, and not repeated.
    for url in (f"s3://user:{secret}@builds/book", f"s3://builds/book?secret_key={secret}"):
        for command in (("ingest",), ("hydrate",), ("changes",)):
            said = book.console.run(*command, "--json", env={"WINDROW_STORAGE__URL": url})
            assert said.code == 2
            assert secret not in said.out + said.err
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIDTEST",
        "AWS_SECRET_ACCESS_KEY": secret,
        "WINDROW_STORAGE__URL": "s3://builds/book",
        "WINDROW_STORAGE__ENDPOINT": "http://127.0.0.1:9",
        "WINDROW_FARM__BROKER_PATIENCE": "1",
    }
    said = book.console.run("ingest", "-v", env=keys)
    assert said.code == 32
    assert secret not in said.out + said.err
    left = [path for path in (book.folder / ".windrow").rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in left)


def test_s0_19_one_command_ingests_hydrates_and_builds(tmp_path: Path) -> None:
    """And stops at the first step that has not done all: nothing is built of half a book."""
    book = Book(tmp_path, parts=1, chapters=1, lessons=2)
    first = book.run("sync", "--json", "-q").json()
    book.edit(book.lesson(1, 1, 1), "of one lesson")
    second = book.run("sync")
    third = book.run("sync", "--json", "-q").json()
    (book.source / book.lesson(1, 1, 3)).write_bytes(b"# Third\n")
    # Written when the ingest is over, and gone before the hydrate looks for it.
    gone = blob(book, hashing.of_bytes(b"# Third\n"))
    book.ingest()
    gone.unlink()
    broken = book.run("sync", "--json", code=32)

    assert (first["ingest"]["revision"], first["hydrate"]["downloaded"]) == ("rev-0001", first["ingest"]["files"])
    assert (first["build"]["revision"], first["build"]["executed"]) == ("rev-0002", 3 + 3)
    assert "0 added, 1 updated" in second.out
    assert "1 downloaded" in second.out
    assert "rev-0003 → rev-0004" in second.err
    assert [third[step]["status"] for step in ("ingest", "hydrate", "build")] == [
        "no-changes",
        "up-to-date",
        "no-changes",
    ]
    told = broken.json()
    assert (told["hydrate"]["failed"], told["build"]) == (1, None)
    assert "failed: content/01-Part/01-Chapter/03-lesson.md" in broken.err


def test_w1_22_every_target_of_the_makefile_works(tmp_path: Path) -> None:
    book = Book(tmp_path, parts=1, chapters=2, lessons=1)

    def make(target: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", target, f"WINDROW={sys.executable} -m windrow", f"PYTHON={sys.executable}"],
            cwd=book.folder, env=book.console.environment(), capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    for target in ("ingest", "hydrate", "build", "test", "all", "clean"):
        done = make(target)
        assert done.returncode == 0, f"make {target}\n{done.stdout}{done.stderr}"
    assert not (book.folder / "site").exists()


def test_w1_23_a_lesson_that_is_not_utf_8_fails_its_own_page_only(book: Book) -> None:
    data = b"# Caf\xe9\n\nbroken\n"
    (book.source / book.lesson(1, 1, 1)).write_bytes(data)
    book.ingest()
    book.hydrate()
    assert book.hydrated()["content/01-Part/01-Chapter/01-lesson.md"] == data

    said = book.run("build", "-k", "--json", code=1)

    told = said.json()
    (failure,) = told["failures"]
    assert failure["job"] == "page:site/content/01-Part/01-Chapter/01-lesson.html"
    assert "content/01-Part/01-Chapter/01-lesson.md:1: not UTF-8" in failure["log"]
    assert (told["failed"], told["skipped"], told["executed"]) == (1, 3, 15 + 3 + 1)
    assert (book.folder / "site/content/01-Part/01-Chapter/02-lesson.html").exists()
