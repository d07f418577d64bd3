"""Materialising: outputs appear, go, and stay where they are somebody else's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.commit import materialise
from coordinator.commit.materialise import Staging, apply
from shared import hashing
from shared.errors import BlobMissing, LocalError
from shared.storage.memory import MemoryBlobs
from tests.unit.coordinator.materialise.trees import NEW, OLD, change, difference, folders, lay_out, stage, tree


def test_outputs_are_written_and_vanished_ones_removed(tmp_path: Path) -> None:
    lay_out(tmp_path, OLD)

    done = change(tmp_path)

    assert tree(tmp_path) == NEW
    assert sorted(done.written) == ["bin/tool", "out/a", "out/new/c"]
    assert (done.removed, done.warnings) == (("gone/deep/x",), ())
    assert not (tmp_path / "gone").exists()
    assert list((tmp_path / ".windrow" / "stage").iterdir()) == []
    assert not (tmp_path / ".windrow" / "journal.json").exists()


def test_what_is_not_passed_is_not_touched(tmp_path: Path) -> None:
    lay_out(tmp_path, OLD)
    before = (tmp_path / "out/b").stat()

    change(tmp_path)

    after = (tmp_path / "out/b").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_modes_are_those_of_the_outputs(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    for data in (b"#!", b"target.txt"):
        blobs.put(hashing.of_bytes(data), data)
    staging = Staging(tmp_path / ".windrow", "b-1")
    staging.stage("bin/run", hashing.of_bytes(b"#!"), "exec", blobs)
    staging.stage("data", hashing.of_bytes(b"#!"), "file", blobs)
    staging.stage("bin/link", hashing.of_bytes(b"target.txt"), "link", blobs)

    apply(tmp_path, tmp_path / ".windrow", staging)

    assert (tmp_path / "bin/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o644
    assert os.readlink(tmp_path / "bin/link") == "target.txt"


def test_a_blob_that_is_gone_touches_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path, OLD)
    staging = Staging(tmp_path / ".windrow", "b-1")

    with pytest.raises(BlobMissing):
        staging.stage("out/a", hashing.of_bytes(b"nowhere"), "file", MemoryBlobs())

    assert tree(tmp_path) == OLD


def test_a_vanished_output_that_someone_changed_is_kept_with_a_warning(tmp_path: Path) -> None:
    lay_out(tmp_path, {**OLD, "gone/deep/x": b"edited by hand"})

    done = change(tmp_path)

    assert (tmp_path / "gone/deep/x").read_bytes() == b"edited by hand"
    assert done.removed == ()
    assert "gone/deep/x" in done.warnings[0]


def test_a_vanished_output_that_is_gone_already_is_no_trouble(tmp_path: Path) -> None:
    lay_out(tmp_path, {path: data for path, data in OLD.items() if path != "gone/deep/x"})

    done = change(tmp_path)

    assert (done.removed, done.warnings) == ((), ())


def test_folders_that_still_hold_something_stay(tmp_path: Path) -> None:
    lay_out(tmp_path, {**OLD, "gone/notes.txt": b"mine"})

    change(tmp_path)

    assert folders(tmp_path) >= {"gone"}
    assert not (tmp_path / "gone/deep").exists()


def test_a_file_may_become_a_folder_and_back(tmp_path: Path) -> None:
    lay_out(tmp_path, {"gen": b"file"})
    state = tmp_path / ".windrow"
    staging = Staging(state, "b-1")
    apply(tmp_path, state, stage(staging, {"gen/a/x": b"1"}), {"gen": hashing.of_bytes(b"file")})
    assert tree(tmp_path) == {"gen/a/x": b"1"}

    apply(tmp_path, state, stage(staging, {"gen": b"file"}), {"gen/a/x": hashing.of_bytes(b"1")})

    assert tree(tmp_path) == {"gen": b"file"}


def test_an_output_that_turned_out_right_already_is_left_alone(tmp_path: Path) -> None:
    staging = stage(Staging(tmp_path / ".windrow", "b-1"), {"a": b"new", "b": b"new"})

    staging.keep("a")
    done = apply(tmp_path, tmp_path / ".windrow", staging)

    assert done.written == ("b",)
    assert apply(tmp_path, tmp_path / ".windrow", staging) == ((), (), ())


def test_a_folder_in_the_place_of_an_output_is_named_and_nothing_changes(tmp_path: Path) -> None:
    lay_out(tmp_path, {**OLD, "out/new/c/mine": b"kept"})
    before = (tree(tmp_path), folders(tmp_path))

    with pytest.raises(LocalError, match="a folder is in its place"):
        change(tmp_path)

    assert (tree(tmp_path), folders(tmp_path)) == before


def test_a_file_in_the_place_of_a_parent_is_named_and_nothing_changes(tmp_path: Path) -> None:
    lay_out(tmp_path, {**OLD, "out/new": b"a file"})
    before = tree(tmp_path)

    with pytest.raises(LocalError, match="out/new"):
        change(tmp_path)

    assert tree(tmp_path) == before


def test_a_parent_that_leads_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    lay_out(root, OLD)
    outside.mkdir()
    (root / "out/new").symlink_to(outside)

    with pytest.raises(LocalError, match="outside the tree"):
        change(root)

    assert list(outside.iterdir()) == []
    assert tree(root) == OLD


def test_a_vanished_output_behind_a_link_out_of_the_tree_is_not_removed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    lay_out(root, {path: data for path, data in OLD.items() if path != "gone/deep/x"})
    lay_out(outside, {"deep/x": b"x"})
    (root / "gone").symlink_to(outside)

    with pytest.raises(LocalError, match="outside the tree"):
        change(root)

    assert (outside / "deep/x").read_bytes() == b"x"


def test_a_link_in_the_place_of_an_output_is_replaced_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    lay_out(root, OLD)
    lay_out(tmp_path, {"precious": b"precious"})
    (root / "out/a").unlink()
    (root / "out/a").symlink_to(tmp_path / "precious")

    change(root)

    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (root / "out/a").is_symlink()
    assert tree(root) == NEW


def test_a_link_within_the_tree_is_followed(tmp_path: Path) -> None:
    lay_out(tmp_path, OLD)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/new").symlink_to(tmp_path / "elsewhere")

    change(tmp_path)

    assert (tmp_path / "elsewhere/c").read_bytes() == b"new c"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_outputs_on_another_file_system_are_written_too(tmp_path: Path) -> None:
    lay_out(tmp_path, {path: data for path, data in OLD.items() if not path.startswith("out/")})
    other = Path(
        subprocess.run(["mktemp", "-d", "-p", "/dev/shm"], capture_output=True, text=True, check=True).stdout.strip()
    )
    state = other / "state"
    try:
        lay_out(tmp_path, OLD)
        staging = Staging(state, "b-1")
        writes, gone = difference(OLD, NEW)
        with pytest.raises(LocalError):
            apply(tmp_path, state, stage(staging, {**writes, "src/main.c/x": b"cannot be"}), gone)
        assert tree(tmp_path) == OLD
        staging.keep("src/main.c/x")

        apply(tmp_path, state, stage(staging, writes), gone)

        assert tree(tmp_path) == NEW
    finally:
        subprocess.run(["rm", "-r", str(other)], check=True)


PATHS = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "f/g/h"])
TREES = st.dictionaries(PATHS, st.binary(max_size=3), max_size=6)


@given(before=TREES, after=TREES)
def test_a_tree_becomes_any_other(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    lay_out(root, before)
    writes, gone = difference(before, after)
    staging = stage(Staging(root / ".windrow", "b"), writes)

    apply(root, root / ".windrow", staging, gone)

    assert tree(root) == after
    assert all((root / folder).iterdir() for folder in folders(root))


def test_many_files_are_synced_at_once(tmp_path: Path) -> None:
    files = {f"out/{number}": b"%d" % number for number in range(materialise._SYNC_EACH + 5)}

    apply(tmp_path, tmp_path / ".windrow", stage(Staging(tmp_path / ".windrow", "b"), files))

    assert tree(tmp_path) == files
