"""Hydrating lessons, W1-09 to W1-15: what a hydrate brings, takes away and keeps, also when it is killed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from coordinator.hydrate.hydrate import HydrateRequest, hydrate
from coordinator.ingest.changes import plan_build
from shared import hashing
from tests.console import powerless
from tests.scenarios.book import Book
from tests.scenarios.lessons.steps import blob, files_under, hydrate_here, ingest_here, project


def test_w1_09_the_first_hydrate_brings_every_file_byte_for_byte(ingested: Book) -> None:
    book = ingested

    told = book.hydrate()

    assert (told["downloaded"], told["files"], told["status"]) == (20, 20, "ok")
    found = book.hydrated()
    assert found["content/01-Part/02-Chapter/03-lesson.md"] == (book.source / book.lesson(1, 2, 3)).read_bytes()
    assert found["static/img/diagram-01-02.png"].startswith(b"\x89PNG")
    state = book.state()
    assert set(state) == {"book_id", "manifest_hash", "timestamp", "file_count"}
    assert (state["book_id"], state["file_count"]) == ("book", 20)
    assert state["manifest_hash"] == book.tree_hash() == told["manifest_hash"]


def test_w1_10_a_second_hydrate_does_nothing(ingested: Book) -> None:
    hydrate_here(ingested)
    before = files_under(ingested.folder / "content", ingested.folder / "static", ingested.folder / ".windrow")
    reads: list[str] = []
    at = project(ingested)
    read = at.stores.refs.read
    at.stores.refs.read = lambda name: (reads.append(name), read(name))[1]  # type: ignore[method-assign]

    report = hydrate(at, HydrateRequest(ingested.folder, ingested.folder / ".windrow/hydrate.json"))

    assert (report.downloaded, report.unchanged, report.removed) == (0, 20, 0)
    assert reads == ["projects/book/main/current.json"]
    after = files_under(ingested.folder / "content", ingested.folder / "static", ingested.folder / ".windrow")
    assert {p: s for p, s in after.items() if not p.endswith("workspace.lock")} == {
        p: s for p, s in before.items() if not p.endswith("workspace.lock")
    }
    assert "20 files up to date" in ingested.run("hydrate").out


def test_w1_11_a_hydrate_brings_what_differs_and_takes_away_what_went(ingested: Book) -> None:
    book = ingested
    hydrate_here(book)
    for lesson in (book.lesson(1, 1, 1), book.lesson(1, 2, 1), book.lesson(2, 1, 1)):
        book.edit(lesson, "another body")
    (book.source / book.lesson(2, 2, 3)).unlink()
    ingest_here(book)

    report = hydrate_here(book)

    assert (report.downloaded, report.bytes, report.removed, report.unchanged) == (3, 11_790, 1, 16)
    assert not (book.folder / "content/02-Part/02-Chapter/03-lesson.md").exists()
    assert book.tree_hash() == report.manifest_hash == plan_build(project(book))["manifest_hash"]
    assert book.state()["file_count"] == 19


def test_w1_12_a_blob_that_cannot_be_had_fails_the_hydrate_and_nothing_else(ingested: Book) -> None:
    book, path = ingested, "content/01-Part/01-Chapter/01-lesson.md"
    data = (book.source / book.lesson(1, 1, 1)).read_bytes()
    kept = blob(book, hashing.of_bytes(data))
    kept.chmod(0o644)
    kept.write_bytes(b"damaged")

    said = book.run("hydrate", "--json", code=32)

    assert (said.json()["status"], said.json()["failed"], said.json()["downloaded"]) == ("failed", 1, 19)
    assert path in said.err
    assert len(book.hydrated()) == 19 and path not in book.hydrated()
    assert not (book.folder / ".windrow/hydrate.json").exists()
    kept.write_bytes(data)
    report = hydrate_here(book)
    assert (report.downloaded, report.unchanged) == (1, 19)
    assert book.tree_hash() == book.state()["manifest_hash"]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"\xff\xfe\x00binary", b'{"book_id": "book"}',
        b'{"book_id":"book","manifest_hash":"x","timestamp":"2026-01-01T00:00:00Z","file_count":1}',
        b'{"book_id":"book","manifest_hash":"' + b"0" * 64 + b'","timestamp":"then","file_count":1}',
        b'{"book_id":"other","manifest_hash":"' + b"0" * 64 + b'","timestamp":"2026-01-01T00:00:00Z","file_count":1}',
    ],
    ids=["empty", "truncated", "a list", "binary", "fields missing", "no hash", "no time", "another project"],
)  # fmt: skip
def test_w1_13_a_state_file_that_cannot_be_used_costs_a_warning(ingested: Book, data: bytes) -> None:
    hydrate_here(ingested)
    state = ingested.folder / ".windrow/hydrate.json"
    state.write_bytes(data)
    (ingested.folder / "content/01-Part/01-Chapter/01-lesson.md").unlink()

    report = hydrate_here(ingested)

    assert "looking at every file" in report.warnings[0]
    assert (report.downloaded, report.failures) == (1, ())
    assert ingested.state()["manifest_hash"] == ingested.tree_hash()


def test_w1_13_a_state_file_that_may_not_be_read_stays(ingested: Book) -> None:
    hydrate_here(ingested)
    state = ingested.folder / ".windrow/hydrate.json"
    before = state.read_bytes()
    state.chmod(0)

    said = ingested.console.run("hydrate", before=powerless())

    state.chmod(0o600)
    assert said.code == 36, said.err
    assert "hydrate.json" in said.err
    assert state.read_bytes() == before


def test_w1_14_a_full_rebuild_fetches_everything_and_writes_a_new_state(ingested: Book) -> None:
    hydrate_here(ingested)
    state = ingested.folder / ".windrow/hydrate.json"
    state.write_text(state.read_text().replace('"file_count":20', '"file_count":7'))

    report = hydrate_here(ingested, full=True)

    assert (report.downloaded, report.unchanged) == (20, 0)
    assert ingested.state()["file_count"] == 20


def test_w1_14_a_killed_full_rebuild_leaves_no_state_and_the_next_hydrate_ends_it(ingested: Book) -> None:
    hydrate_here(ingested)

    killed = ingested.console.run("hydrate", "--full-rebuild", env={"WINDROW_FAILPOINT": "hydrate.placed=kill"})

    assert killed.code == -9
    assert not (ingested.folder / ".windrow/hydrate.json").exists()
    report = hydrate_here(ingested)
    assert not report.failures
    assert ingested.state()["manifest_hash"] == ingested.tree_hash()


def test_a_killed_hydrate_goes_on_where_it_was_and_forgets_nothing_it_placed(ingested: Book) -> None:
    killed = ingested.console.run("hydrate", "--concurrency", "1", env={"WINDROW_FAILPOINT": "hydrate.placed=kill"})
    assert killed.code == -9
    (placed,) = ingested.hydrated()
    # What was placed goes again when a later revision has it no more.
    gone = next(p for p, s in ingest_here(ingested, dry_run=True).source.origin.items() if p == placed)
    assert gone
    report = hydrate_here(ingested)
    assert (report.downloaded, report.unchanged) == (19, 1)


def test_w1_15_a_hydrate_ends_on_the_revision_it_began_with(ingested: Book, monkeypatch: Any) -> None:
    book, at = ingested, project(ingested)
    before = plan_build(at)["manifest_hash"]
    book.edit(book.lesson(1, 1, 1), "a later body")
    fetch, done = at.stores.blobs.fetch, []

    def slow(hash_: str, path: Path, *, executable: bool = False) -> int:
        if not done:
            done.append(ingest_here(book).revision)
        return fetch(hash_, path, executable=executable)

    monkeypatch.setattr(at.stores.blobs, "fetch", slow)
    request = HydrateRequest(book.folder, book.folder / ".windrow/hydrate.json", concurrency=1)

    assert hydrate(at, request).manifest_hash == before == book.tree_hash()

    assert done == [2]
    assert hydrate_here(book).downloaded == 1
    assert book.tree_hash() == plan_build(project(book))["manifest_hash"] != before


def test_a_file_that_was_changed_here_is_kept_and_brought_back(ingested: Book) -> None:
    hydrate_here(ingested)
    path = ingested.folder / "content/01-Part/01-Chapter/01-lesson.md"
    good = path.read_bytes()
    path.write_text("my own words")

    report = hydrate_here(ingested)

    assert (report.downloaded, report.saved) == (1, ("content/01-Part/01-Chapter/01-lesson.md",))
    assert path.read_bytes() == good
    assert (Path(report.saved_in) / report.saved[0]).read_text() == "my own words"


def test_a_file_that_was_changed_here_is_not_taken_away(ingested: Book) -> None:
    hydrate_here(ingested)
    (ingested.source / ingested.lesson(1, 1, 1)).unlink()
    ingest_here(ingested)
    path = ingested.folder / "content/01-Part/01-Chapter/01-lesson.md"
    path.write_text("my own words")

    report = hydrate_here(ingested)

    assert (report.removed, path.read_text()) == (0, "my own words")
    assert any("changed here" in warning for warning in report.warnings)


def test_without_what_is_remembered_the_state_file_tells_what_went(ingested: Book) -> None:
    """As on a machine of CI, which keeps the state file and the files between runs."""
    hydrate_here(ingested)
    shutil.rmtree(ingested.folder / ".windrow/hydrate")
    (ingested.source / ingested.lesson(1, 1, 1)).unlink()
    ingest_here(ingested)

    report = hydrate_here(ingested)

    assert (report.removed, report.downloaded) == (1, 0)
    assert ingested.tree_hash() == report.manifest_hash


def test_a_folder_that_leads_out_is_not_followed(ingested: Book) -> None:
    away = ingested.folder.parent / "away"
    away.mkdir()
    (ingested.folder / "content").symlink_to(away)

    said = ingested.run("hydrate", code=36)

    assert "outside the tree" in said.err
    assert list(away.iterdir()) == []


def test_an_older_revision_and_parts_of_one(twice: tuple[Book, str]) -> None:
    book, before = twice
    folder = book.folder.parent / "older"

    assert hydrate_here(book, folder, revision=1).manifest_hash == before == book.tree_hash(folder)

    only = book.folder.parent / "only"
    assert hydrate_here(book, only / "a", scope="assets").files == 4
    assert hydrate_here(book, only / "c", scope="content").files == 16
    assert hydrate_here(book, only / "o", scope="artefacts").files == 0
    assert {path.split("/")[0] for path in book.hydrated(only / "a")} == {"static"}


def test_a_project_without_a_windrow_toml_is_named(ingested: Book) -> None:
    folder = ingested.folder.parent / "elsewhere"
    folder.mkdir()
    ingested.console.folder = folder

    assert ingested.run("hydrate", "--book-id", "book", "--json").json()["downloaded"] == 20
    assert (folder / ".windrow/hydrate.json").exists()
    assert "--project" in ingested.run("hydrate", code=2).err
    assert ingested.run("hydrate", WINDROW_BOOK_ID="book").out.startswith("20 files up to date")
