"""Files outside the tree: what they hold, read once and again when they changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coordinator.scan.beyond import Beyond
from shared import hashing
from shared.errors import UnreadableFile
from tests.waiting import until


def test_an_answer_is_the_digest_of_what_a_path_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("text")
    (tmp_path / "link").symlink_to("real")
    beyond = Beyond(tmp_path / "state")

    assert beyond.digest(str(tmp_path / "real")) == hashing.of_bytes(b"text")
    assert beyond.digest(str(tmp_path / "link")) == hashing.of_bytes(b"text")


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_text("")
    beyond = Beyond(tmp_path)

    assert [beyond.digest(str(tmp_path / name)) for name in ("none", "dangling", "file/below")] == ["", "", ""]


def test_a_folder_counts_by_being_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    before = Beyond(tmp_path).digest(str(tmp_path / "folder"))

    (tmp_path / "folder/new").write_text("")

    assert before
    assert Beyond(tmp_path).digest(str(tmp_path / "folder")) == before


def test_an_answer_holds_until_a_fresh_one_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    beyond = Beyond(tmp_path / "state")
    beyond.digest(str(file))
    file.write_text("two")

    assert beyond.digest(str(file)) == hashing.of_bytes(b"one")
    assert beyond.fresh(str(file)) == hashing.of_bytes(b"two")
    assert beyond.digest(str(file)) == hashing.of_bytes(b"two")
    assert dict(beyond.answers()) == {str(file): hashing.of_bytes(b"two")}


def test_the_next_build_takes_what_was_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("one")

    def learnt() -> bool:
        """Until the file is old enough to be relied on."""
        beyond = Beyond(tmp_path / "state")
        beyond.digest(str(file))
        beyond.save()
        return (tmp_path / "state/beyond.msgpack").exists() and not beyond._entries[str(file)].racy

    until(learnt)
    reads: list[object] = []
    real = hashing.of_file
    monkeypatch.setattr(hashing, "of_file", lambda path: reads.append(path) or real(path))

    assert Beyond(tmp_path / "state").digest(str(file)) == hashing.of_bytes(b"one")
    assert reads == []

    status = file.stat()
    file.write_text("two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert Beyond(tmp_path / "state").digest(str(file)) == hashing.of_bytes(b"two")


def test_a_file_that_cannot_be_looked_at_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(UnreadableFile, match="cannot look at"):
        Beyond(tmp_path).digest(str(tmp_path / "loop"))
