"""Ingesting lessons, W1-03 to W1-05 and W1-16 to W1-18: what an ingest puts in, refuses and leaves to others."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from coordinator.ingest.changes import plan_build
from coordinator.ingest.mapping import Mapper
from coordinator.ingest.sync import IngestRequest, ingest
from shared import hashing
from shared.errors import Conflict, DeletionRefused, PathsCollide
from tests.scenarios.book import Book, make_book
from tests.scenarios.lessons.steps import blob, files_under, hydrate_here, ingest_here, project


def counts(told: dict[str, Any]) -> tuple[int, ...]:
    return tuple(told[name] for name in ("added", "updated", "deleted", "unchanged"))


def test_w1_03_the_first_ingest_puts_everything_in(book: Book) -> None:
    told = book.ingest()

    assert counts(told) == (20, 0, 0, 0)
    assert (told["skipped"], told["failed"], told["revision"], told["status"]) == (7, 0, "rev-0001", "ok")
    assert told["invalid"][0]["path"] == "Part-01/01-orphan.md"
    assert "ingested  20 files" in book.run("status").out
    stored = [path for path in (book.console.cache / "store" / "blobs").rglob("*") if path.is_file()]
    assert told["sent"] == len(stored) <= 20


def test_w1_04_the_second_ingest_does_nothing(ingested: Book) -> None:
    book, before = ingested, ingested.changes()["manifest_hash"]
    book.age()
    book.ingest()  # what was just written when it was read is read again
    stored = files_under(book.console.cache / "store")

    told = book.ingest()

    assert (counts(told), told["status"], told["revision"]) == ((0, 0, 0, 20), "no-changes", None)
    assert (told["sent"], told["hashed"]) == (0, 0)
    assert files_under(book.console.cache / "store") == stored
    for path in book.source.rglob("*"):
        if "lesson" in path.name or path.suffix == ".png":
            os.utime(path, (1_700_000_001, 1_700_000_001))
    touched, after = book.ingest(), book.ingest()
    assert (counts(touched), touched["hashed"], after["hashed"]) == ((0, 0, 0, 20), 20, 0)
    assert book.changes()["manifest_hash"] == before == touched["manifest_hash"]


def test_w1_05_a_dry_run_tells_and_writes_nothing(ingested: Book) -> None:
    book = ingested
    book.edit(book.lesson(1, 1, 1), "one")
    book.edit(book.lesson(1, 1, 2), "two")
    (book.source / book.lesson(2, 2, 3)).unlink()
    (book.source / book.lesson(1, 2, 4)).write_text("# New\n")
    before = files_under(book.console.cache, book.folder)

    told = book.ingest("--dry-run")

    assert (counts(told), told["status"], told["revision"]) == ((1, 2, 1, 17), "dry-run", None)
    assert files_under(book.console.cache, book.folder) == before
    lines = book.run("ingest", "-n").out.splitlines()
    assert lines[:4] == [
        "+ content/01-Part/02-Chapter/04-lesson.md",
        "~ content/01-Part/01-Chapter/01-lesson.md",
        "~ content/01-Part/01-Chapter/02-lesson.md",
        "- content/02-Part/02-Chapter/03-lesson.md",
    ]
    assert lines[4] == "1 added, 2 updated, 1 deleted, 17 unchanged, 7 skipped"


def test_w1_16_two_files_that_go_to_one_path_are_an_error_that_names_both(book: Book) -> None:
    for chapter in (1, 2):
        folder = (book.source / book.lesson(1, chapter, 1)).parent / "img"
        (folder / "diagram.png").write_bytes(make_book().picture(chapter, 400))

    with pytest.raises(PathsCollide) as caught:
        ingest_here(book)

    assert "Chapter-01-Of-Part-01/img/diagram.png" in caught.value.why
    assert "Chapter-02-Of-Part-01/img/diagram.png" in caught.value.why
    assert book.run("ingest", code=2).err.startswith("error[W0501]: two files go to static/img/diagram.png")
    assert ingest_here(book, mapper=Mapper("preserve")).revision == 1


def test_w1_17_of_two_ingests_that_change_one_file_the_second_is_refused(ingested: Book, monkeypatch: Any) -> None:
    book, there = ingested, ingested.folder.parent / "other"
    shutil.copytree(book.source, there)
    (there / book.lesson(1, 1, 1)).write_text("# Theirs\n")
    ours = b"# Ours\n"
    (book.source / book.lesson(1, 1, 1)).write_bytes(ours)
    slow = project(book)
    lock = slow.lock

    def when_they_have_committed() -> Any:
        assert ingest_here(book, there).revision == 2
        return lock()

    monkeypatch.setattr(slow, "lock", when_they_have_committed)
    with pytest.raises(Conflict) as caught:
        ingest(slow, IngestRequest(book.source), Mapper())

    assert caught.value.exit_code == 11
    assert caught.value.at == "content/01-Part/01-Chapter/01-lesson.md"
    assert plan_build(project(book))["total_files"] == 20
    assert blob(book, hashing.of_bytes(ours)).read_bytes() == ours  # its work is not lost


def test_two_ingests_that_change_different_files_both_count(ingested: Book, monkeypatch: Any) -> None:
    book, there = ingested, ingested.folder.parent / "other"
    shutil.copytree(book.source, there)
    (there / book.lesson(1, 1, 1)).write_text("# Theirs\n")
    (book.source / book.lesson(1, 1, 2)).write_bytes(b"# Ours\n")
    slow = project(book)
    lock = slow.lock
    monkeypatch.setattr(slow, "lock", lambda: (ingest_here(book, there), lock())[1])

    assert ingest(slow, IngestRequest(book.source), Mapper()).revision == 3

    changed = plan_build(project(book), None)["files"]
    hashes = {file["path"]: file["current_hash"] for file in changed}
    assert hashes["content/01-Part/01-Chapter/01-lesson.md"] == hashing.bare(hashing.of_bytes(b"# Theirs\n"))
    assert hashes["content/01-Part/01-Chapter/02-lesson.md"] == hashing.bare(hashing.of_bytes(b"# Ours\n"))


def test_w1_18_an_empty_folder_takes_nothing_out_unless_it_is_forced(ingested: Book) -> None:
    book, empty = ingested, ingested.folder.parent / "empty"
    empty.mkdir()

    with pytest.raises(DeletionRefused):
        ingest_here(book, empty)

    assert plan_build(project(book))["total_files"] == 20
    assert "--force" in book.run("ingest", "--source-dir", str(empty), code=2).err
    assert ingest_here(book, empty, force=True).revision == 2
    assert plan_build(project(book))["total_files"] == 0


def test_more_than_half_goes_only_when_forced(ingested: Book) -> None:
    shutil.rmtree(ingested.source / "Part-01-Of-The-Book")
    assert counts(ingested.ingest("--dry-run", "--force")) == (0, 0, 10, 10)
    assert ingest_here(ingested).revision == 2  # just half
    shutil.rmtree(ingested.source / "Part-02-Of-The-Book" / "Chapter-01-Of-Part-02")
    (ingested.source / ingested.lesson(2, 2, 1)).unlink()

    with pytest.raises(DeletionRefused, match="6 of 10"):
        ingest_here(ingested)


def test_a_build_carries_what_is_ingested_and_an_ingest_what_is_built(ingested: Book) -> None:
    book = ingested
    book.hydrate()
    assert book.build()["revision"] == "rev-0002"
    book.edit(book.lesson(1, 1, 1), "other")
    assert book.ingest()["revision"] == "rev-0003"
    # A checkout without the files of the book builds nothing of it, and takes nothing out.
    bare = Book(book.folder.parent / "bare", parts=0, cache=book.console.cache)

    assert bare.build()["status"] == "ok"

    assert bare.changes()["total_files"] == 20
    shown = bare.run("show", "--json").json()
    assert (len(shown["ingested"]), shown["kind"]) == (20, "build")
    again = book.build()
    assert (again["status"], again["revision"]) == ("ok", "rev-0005")


def test_collection_keeps_what_is_ingested_and_a_check_misses_what_is_gone(ingested: Book) -> None:
    book = ingested
    data = (book.source / book.lesson(1, 1, 1)).read_bytes()

    book.run("cache", "gc", WINDROW_CACHE__WINDOW="0", WINDROW_CACHE__KEEP_REVISIONS="1")

    assert blob(book, hashing.of_bytes(data)).read_bytes() == data
    assert hydrate_here(book).downloaded == 20
    blob(book, hashing.of_bytes(data)).unlink()
    said = book.console.run("cache", "verify")
    assert "content/01-Part/01-Chapter/01-lesson.md" in said.out + said.err
    assert said.code != 0


def test_collection_forgets_states_that_no_kept_revision_holds(ingested: Book) -> None:
    """Of three states two go; the one that a build carries on is found where it is kept, and so is its delta."""
    book = ingested
    trees = sorted((book.console.cache / "store/projects").rglob("trees/*.json"))
    for text in ("two", "three"):
        book.edit(book.lesson(1, 1, 1), text)
        ingest_here(book)
    book.hydrate()
    book.build()  # rev-0004 has the state of rev-0003
    now = plan_build(project(book))["manifest_hash"]
    counts = {"WINDROW_CACHE__WINDOW": "0", "WINDROW_CACHE__KEEP_REVISIONS": "1"}

    tried = book.run("cache", "gc", "--json", "--dry-run", **counts).json()
    before = len(list(trees[0].parent.glob("*.json")))
    done = book.run("cache", "gc", "--json", **counts).json()

    assert (tried["trees_removed"], before, done["trees_removed"]) == (2, 3, 2)
    assert [path.stem for path in trees[0].parent.glob("*.json")] == [now]
    told = plan_build(project(book), now)
    assert (told["status"], told["files"]) == ("unchanged", [])
    book.edit(book.lesson(1, 1, 1), "four")
    ingest_here(book)
    told = plan_build(project(book), now)
    assert (told["changed_count"], "warning" in told) == (1, False)


def test_a_source_folder_that_is_not_there_is_a_mistake_of_who_named_it(book: Book) -> None:
    said = book.console.run("ingest", "--source-dir", "nowhere")

    assert said.code == 2
    assert "nowhere does not exist" in said.err
    assert "fix: name the folder of the book: --source-dir, or [ingest] source_dir" in said.err
