"""Books before and after their first ingest: W1-03 to W1-23, by real commands.

Where these speak of `.panaversity/manifest.json` stands `.windrow/hydrate.json`, in that format. Exit codes are those
of docs/reference/cli.md: 32 where a file cannot be had, 11 for a conflict, 36 where the system refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.ingest.changes import plan_build
from tests.scenarios.book import Book
from tests.scenarios.lessons.steps import ingest_here, project


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Two parts of two chapters of three lessons, 20 files; nothing is ingested yet."""
    return Book(tmp_path)


@pytest.fixture
def ingested(book: Book) -> Book:
    assert book.ingest()["revision"] == "rev-0001"
    return book


@pytest.fixture
def twice(ingested: Book) -> tuple[Book, str]:
    """A book that changed: one lesson is new, one differs, one is gone; and the hash of how it was."""
    before = plan_build(project(ingested))["manifest_hash"]
    ingested.edit(ingested.lesson(1, 1, 1), "one")
    (ingested.source / ingested.lesson(2, 2, 3)).unlink()
    (ingested.source / ingested.lesson(1, 2, 4)).write_text("# New\n")
    assert ingest_here(ingested).revision == 2
    return ingested, before


@pytest.fixture(autouse=True)
def no_failpoints(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("WINDROW_FAILPOINT", raising=False)
    yield
