"""Outputs of imported builds reach the working copy one by one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coordinator.commit.placing import Placing
from coordinator.scan.scanner import scan
from shared import hashing
from shared.errors import BlobMissing, LocalError
from shared.model.action import Output
from shared.settings_load import load_without_project
from shared.storage.memory import MemoryBlobs


def stored(blobs: MemoryBlobs, path: str, text: str, mode: str = "file") -> Output:
    digest = hashing.of_bytes(text.encode())
    blobs.put(digest, text.encode())
    return Output(path, digest, len(text), mode)  # type: ignore[arg-type]


def left_over(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*.tmp.*")]


def test_an_output_replaces_what_was_there_in_one_step(tmp_path: Path) -> None:
    blobs, placing = MemoryBlobs(), Placing(tmp_path, "b")
    (tmp_path / "out").write_text("old")
    before = (tmp_path / "out").stat().st_ino

    placing.place(stored(blobs, "out", "new"), blobs)

    assert (tmp_path / "out").read_text() == "new"
    assert (tmp_path / "out").stat().st_ino != before
    assert (placing.written, left_over(tmp_path)) == (["out"], [])


def test_folders_are_made_programs_can_run_and_links_hold_their_text(tmp_path: Path) -> None:
    blobs, placing = MemoryBlobs(), Placing(tmp_path, "b")

    placing.place(stored(blobs, "bin/deep/tool", "#!", "exec"), blobs)
    placing.place(Output("lib/libx.so", hashing.of_bytes(b"libx.so.1"), 9, "link", "libx.so.1"), blobs)

    assert os.access(tmp_path / "bin/deep/tool", os.X_OK)
    assert os.readlink(tmp_path / "lib/libx.so") == "libx.so.1"


def test_a_link_takes_the_place_of_a_file_and_a_file_that_of_a_link(tmp_path: Path) -> None:
    blobs, placing = MemoryBlobs(), Placing(tmp_path, "b")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out").symlink_to("precious")

    placing.place(stored(blobs, "out", "new"), blobs)

    assert not (tmp_path / "out").is_symlink()
    assert (tmp_path / "precious").read_text() == "precious"


def test_bytes_that_are_gone_leave_what_was_there(tmp_path: Path) -> None:
    placing = Placing(tmp_path, "b")
    (tmp_path / "out").write_text("old")

    with pytest.raises(BlobMissing):
        placing.place(Output("out", hashing.of_bytes(b"gone"), 4), MemoryBlobs())

    assert (tmp_path / "out").read_text() == "old"
    assert (placing.written, left_over(tmp_path)) == ([], [])


def test_what_cannot_be_written_is_an_error_with_its_place(tmp_path: Path) -> None:
    blobs, placing = MemoryBlobs(), Placing(tmp_path, "b")
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_text("")

    for path in ("out", "file/out"):
        with pytest.raises(LocalError) as error:
            placing.place(stored(blobs, path, "new"), blobs)
        assert f"{tmp_path}/" in error.value.at
    assert left_over(tmp_path) == []


def test_a_folder_that_somebody_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    blobs, placing = MemoryBlobs(), Placing(tmp_path, "b")
    placing.place(stored(blobs, "sub/a", "a"), blobs)
    (tmp_path / "sub/a").unlink()
    (tmp_path / "sub").rmdir()

    placing.place(stored(blobs, "sub/b", "b"), blobs)

    assert (tmp_path / "sub/b").read_text() == "b"


def test_many_threads_may_place_at_once(tmp_path: Path) -> None:
    blobs, placing = MemoryBlobs(), Placing(tmp_path, "b")
    outputs = [stored(blobs, f"d{number % 3}/f{number}", str(number)) for number in range(60)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda output: placing.place(output, blobs), outputs))

    assert sorted(placing.written) == sorted(output.path for output in outputs)
    assert all((tmp_path / output.path).stat().st_size == output.size for output in outputs)


def test_what_was_placed_is_known_without_reading_it_and_a_write_in_the_same_tick_shows(tmp_path: Path) -> None:
    blobs, placing = MemoryBlobs(), Placing(tmp_path, "b")
    for name in ("kept", "written"):
        placing.place(stored(blobs, name, "made"), blobs)
    with (tmp_path / "written").open("r+") as file:
        file.write("MADE")
    known = {path: (hashing.of_bytes(b"believed"), state) for path, (_, state) in placing.placed.items()}
    seen = scan(load_without_project(tmp_path, flags={}, environ={}), known)

    seen.learn(known, known)
    seen.save()

    again = scan(load_without_project(tmp_path, flags={}, environ={}), known).snapshot.outputs
    assert again["kept"].hash == hashing.of_bytes(b"believed")
    assert again["written"].hash == hashing.of_bytes(b"MADE")
