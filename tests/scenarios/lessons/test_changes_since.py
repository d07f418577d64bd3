"""What changed since a state or a time, W1-07 and W1-08: plan_build and delta_build."""

from __future__ import annotations

import pytest

from coordinator.commit.base import read_manifest
from coordinator.ingest.changes import delta_build, plan_build
from shared import hashing
from shared.errors import UsageError
from tests.scenarios.book import Book
from tests.scenarios.lessons.steps import project


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
