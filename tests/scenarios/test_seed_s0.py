"""Seed 000, acceptance tests W1-03 to W1-23: a book from its source to its site, by real commands.

Where the seed says `.panaversity/manifest.json` stands `.windrow/hydrate.json`, in the seed's format. Exit codes are
those of docs/reference/cli.md: 32 where a file cannot be had, 11 for a conflict, 36 where the system refuses.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.commit.base import read_manifest
from coordinator.hydrate.hydrate import HydrateRequest, hydrate
from coordinator.ingest import sync
from coordinator.ingest.changes import delta_build, plan_build
from coordinator.ingest.mapping import Mapper
from coordinator.ingest.sync import IngestRequest, ingest
from coordinator.project import Project
from shared import hashing
from shared.clock import SystemClock
from shared.errors import Conflict, DeletionRefused, PathsCollide, UsageError
from shared.settings_load import load
from tests.console import powerless
from tests.scenarios.book import Book, make_book

STORE = "store"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Two parts of two chapters of three lessons, 20 files; nothing is ingested yet."""
    return Book(tmp_path)


@pytest.fixture
def ingested(book: Book) -> Book:
    assert book.ingest()["revision"] == "rev-0001"
    return book


def project(book: Book, **more: str) -> Project:
    environ = {**book.console.environment(), **more}
    return Project(load(book.folder, flags={}, environ=environ), environ=environ, clock=SystemClock())


def ingest_here(
    book: Book, folder: Path | None = None, *, mapper: Mapper | None = None, **more: Any
) -> sync.IngestReport:
    return ingest(project(book), IngestRequest(folder or book.source, **more), mapper or Mapper())


def hydrate_here(book: Book, folder: Path | None = None, **more: Any) -> Any:
    to = folder or book.folder
    return hydrate(project(book), HydrateRequest(to, to / ".windrow/hydrate.json", **more))


def counts(told: dict[str, Any]) -> tuple[int, ...]:
    return tuple(told[name] for name in ("added", "updated", "deleted", "unchanged"))


def blob(book: Book, hash_: str) -> Path:
    digits = hashing.bare(hash_)
    return book.console.cache / "store" / "blobs" / digits[:2] / digits


def files_under(*folders: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


# -- ingest -------------------------------------------------------------------------------------------


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


# -- delta queries ------------------------------------------------------------------------------------


@pytest.fixture
def twice(ingested: Book) -> tuple[Book, str]:
    """A book that changed: one lesson is new, one differs, one is gone; and the hash of how it was."""
    before = plan_build(project(ingested))["manifest_hash"]
    ingested.edit(ingested.lesson(1, 1, 1), "one")
    (ingested.source / ingested.lesson(2, 2, 3)).unlink()
    (ingested.source / ingested.lesson(1, 2, 4)).write_text("# New\n")
    assert ingest_here(ingested).revision == 2
    return ingested, before


def test_w1_07_plan_build_tells_what_a_holder_of_a_state_must_do(twice: tuple[Book, str]) -> None:
    book, before = twice

    everything = plan_build(project(book))
    assert (everything["status"], everything["changed_count"], everything["total_files"]) == ("changed", 20, 20)
    assert all(set(file) == {"path", "current_hash"} for file in everything["files"])
    now = everything["manifest_hash"]
    same = plan_build(project(book), now)
    assert (same["status"], same["files"], same["changed_count"]) == ("unchanged", [], 0)
    delta = plan_build(project(book), before)
    assert (delta["status"], delta["manifest_hash"], delta["target_manifest_hash"]) == ("changed", now, before)
    told = {file["path"]: (file["change_type"], file["current_hash"], file["target_hash"]) for file in delta["files"]}
    assert list(told) == sorted(told)
    kinds = {path: kind for path, (kind, _, _) in told.items()}
    assert kinds == {
        "content/01-Part/01-Chapter/01-lesson.md": "modified",
        "content/01-Part/02-Chapter/04-lesson.md": "added",
        "content/02-Part/02-Chapter/03-lesson.md": "deleted",
    }
    assert told["content/01-Part/02-Chapter/04-lesson.md"][1:] == (hashing.bare(hashing.of_bytes(b"# New\n")), None)
    assert told["content/02-Part/02-Chapter/03-lesson.md"][1] is None
    unknown = plan_build(project(book), "0" * 64)
    assert (unknown["status"], unknown["changed_count"]) == ("changed", 20)
    assert "0" * 64 in unknown["warning"]


def test_w1_07_an_empty_project_has_no_files_and_no_error(book: Book) -> None:
    answer = plan_build(project(book))

    assert (answer["status"], answer["files"], answer["total_files"]) == ("changed", [], 0)
    assert plan_build(project(book), answer["manifest_hash"])["status"] == "unchanged"


def test_w1_08_delta_build_tells_what_changed_since_and_what_went(twice: tuple[Book, str]) -> None:
    book, _ = twice
    at = project(book)
    second = at.load_base().manifest
    assert second is not None

    answer = delta_build(at, "rev-0001")
    assert [file["path"] for file in answer["changed_files"]] == [
        "content/01-Part/01-Chapter/01-lesson.md",
        "content/01-Part/02-Chapter/04-lesson.md",
    ]
    assert answer["deleted_files"] == ["content/02-Part/02-Chapter/03-lesson.md"]
    assert {file["last_modified"] for file in answer["changed_files"]} == {second.created_at}
    assert {file["namespace"] for file in answer["changed_files"]} == {"base"}
    first = read_manifest(at.stores.refs, *at.name, 1)
    assert first is not None
    assert {**delta_build(at, first.created_at), "since": ""} == {**answer, "since": ""}
    assert delta_build(at, second.created_at)["changed_count"] == 0
    assert delta_build(at, second.created_at.replace("Z", "+00:00"))["changed_count"] == 0
    assert delta_build(at, "2000-01-01")["changed_count"] == 20
    assert delta_build(at, "rev-0001", include_content=True)["changed_files"][1]["content"] == "# New\n"
    for bad in ("yesterday", "rev-x", "12:30"):
        with pytest.raises(UsageError) as caught:
            delta_build(at, bad)
        assert "ISO 8601" in caught.value.why


# -- hydrate ------------------------------------------------------------------------------------------


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


# -- the whole way ------------------------------------------------------------------------------------


class Site:
    """A book that is ingested, hydrated and built once; each case begins from there."""

    def __init__(self, folder: Path, parts: int, chapters: int, lessons: int, **more: Any) -> None:
        self.book = Book(folder, parts=parts, chapters=chapters, lessons=lessons, **more)
        self.pages = parts * chapters * (lessons + 1)
        self.jobs = self.pages + parts * chapters + parts + 1

    def round(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """What an ingest, a hydrate and a build told."""
        return self.book.ingest(), self.book.hydrate(), self.book.build()


def how(built: dict[str, Any]) -> tuple[int, int, int]:
    return built["planned"], built["executed"], built["reused"]["cut_off"]


def table(site: Site, fresh: Any) -> None:
    """The eight rows of the table of W1."""
    book = site.book
    # clean build
    put, _, built = site.round()
    assert how(built) == (site.jobs, site.jobs, 0)
    parts, chapters = book.parts, book.parts * book.chapters
    assert built["layers"] == [site.pages, chapters, parts, 1]
    assert (put["revision"], built["revision"]) == ("rev-0001", "rev-0002")
    # no change
    put, got, built = site.round()
    assert (put["status"], got["status"], built["status"], built["revision"]) == (
        "no-changes",
        "up-to-date",
        "no-changes",
        None,
    )
    # bodies edited: three chapters of three parts, or as many as there are
    edited = [book.lesson(part, 1, 1) for part in range(1, min(parts, 3) + 1)]
    for path in edited:
        book.edit(path, "a body of other words")
    put, got, built = site.round()
    count = len(edited)
    assert (put["updated"], put["bytes"], got["bytes"]) == (count, 3930 * count, 3930 * count)
    assert how(built) == (3 * count + 1, count, 2 * count + 1)
    # a title edited
    book.retitle(book.lesson(1, 1, 2), "Another title")
    assert how(site.round()[2]) == (4, 2, 2)
    # a lesson deleted
    (book.source / book.lesson(1, 2, 2)).unlink()
    put, got, built = site.round()
    assert (put["deleted"], got["removed"], how(built), built["outputs_removed"]) == (1, 1, (3, 3, 0), 2)
    assert book.run("show", "--json").json()["jobs"].keys() >= {"book:site/index.html"}
    # a lesson added
    (book.source / book.lesson(2, 1, 99)).write_bytes(make_book().text("Added", 7, 3930))
    assert how(site.round()[2]) == (4, 4, 0)
    # an image replaced
    image = next(book.source.rglob("diagram-01-01.png"))
    image.write_bytes(make_book().picture(4711, len(image.read_bytes())))
    put, got, built = site.round()
    assert (put["sent"], put["revision"] is not None, got["downloaded"], built["status"]) == (1, True, 1, "no-changes")
    # a fresh checkout, the shared cache warm
    checkout = fresh()
    checkout.hydrate()
    built = checkout.build("--branch", "fresh")  # where nobody knows what was built
    reused = built["reused"]
    assert (built["planned"], built["executed"], reused["local"] + reused["remote"]) == (site.jobs, 0, site.jobs)
    pages = {
        path.relative_to(book.folder): path.read_bytes() for path in (book.folder / "site").rglob("*") if path.is_file()
    }
    assert pages == {
        path.relative_to(checkout.folder): path.read_bytes()
        for path in (checkout.folder / "site").rglob("*")
        if path.is_file()
    }
    # and where the branch has a revision that knows every one of them
    shutil.rmtree(checkout.folder / "site")
    shutil.rmtree(checkout.folder / ".windrow")
    built = checkout.build()
    reused = built["reused"]
    assert (built["planned"], built["executed"], reused["local"] + reused["remote"]) == (site.jobs, 0, site.jobs)


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


def make_long(book: Book) -> None:
    """Give the second lesson of the first chapter 50 MB."""
    line = b"one line of a lesson that does not come to its end, and on it goes, and on, and on\n"
    with (book.source / book.lesson(1, 1, 2)).open("wb") as file:
        file.write(b"# Long\n\n")
        for _ in range(50 * 1024 * 1024 // len(line)):
            file.write(line)


@pytest.mark.slow  # against a bucket, in test_book_live.py, always
def test_w1_19_a_lesson_of_50_mb_needs_less_than_256_mb_of_memory(long_lesson: Book) -> None:
    for words in (("ingest",), ("hydrate",), ("build", "-q")):
        memory = peak(long_lesson, *words)
        assert memory < 256 << 20, f"windrow {words[0]}: {memory:,} bytes"
    assert (long_lesson.folder / "site/content/01-Part/01-Chapter/02-lesson.html").stat().st_size > 50 << 20


def peak(book: Book, *words: str) -> int:
    """Bytes of memory that a command, or the largest of the processes it started, held at most."""
    program = "import resource, subprocess, sys; code = subprocess.run([sys.executable, '-m', 'windrow', *sys.argv[1:]]).returncode; "
    program += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=book.folder, env=book.console.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) * 1024


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


@pytest.fixture(autouse=True)
def no_failpoints(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("WINDROW_FAILPOINT", raising=False)
    yield
