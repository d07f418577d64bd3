"""Materialising: all or nothing, whatever fails and wherever the process dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.commit import journal as journals
from coordinator.commit import materialise
from coordinator.commit.journal import Journal, Step
from coordinator.commit.materialise import Applied, Staging, apply, recover, sweep
from shared import hashing, process
from shared.errors import BlobMissing, LocalError
from shared.storage.memory import MemoryBlobs

REPOSITORY = Path(__file__).resolve().parents[3]
OLD = {"out/a": b"old a", "out/b": b"old b", "bin/tool": b"old tool", "gone/deep/x": b"x", "src/main.c": b"source"}
NEW = {"out/a": b"new a", "out/new/c": b"new c", "bin/tool": b"new tool", "out/b": b"old b", "src/main.c": b"source"}

# A child process that takes the tree from OLD to NEW.
CHANGE = """
import os, sys
from pathlib import Path
from tests.unit.coordinator.test_materialise import change
if len(sys.argv) > 2: os.setgid(65534); os.setuid(65534)
try:
    change(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, "|", error, "|", getattr(error, "at", ""), "|", getattr(error, "why", ""))
"""


def lay_out(root: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".windrow" not in path.parts
    }


def folders(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_dir() and ".windrow" not in path.relative_to(root).parts
    }


def stage(staging: Staging, files: dict[str, bytes]) -> Staging:
    blobs = MemoryBlobs()
    for path, data in files.items():
        blobs.put(hashing.of_bytes(data), data)
        staging.stage(path, hashing.of_bytes(data), "file", blobs)
    return staging


def difference(before: dict[str, bytes], after: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, str]]:
    writes = {path: data for path, data in after.items() if before.get(path) != data}
    return writes, {path: hashing.of_bytes(data) for path, data in before.items() if path not in after}


def change(root: Path, build: str = "b-1") -> Applied:
    state = root / ".windrow"
    writes, gone = difference(OLD, NEW)
    with contextlib.closing(Staging(state, build)) as staging:
        return apply(root, state, stage(staging, writes), gone)


def run_change(root: Path, *arguments: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "WINDROW_FAILPOINT": failpoint, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-c", CHANGE, str(root), *arguments], env=env, capture_output=True, text=True
    )


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


def open_up(folder: Path) -> None:
    for path in (folder, *folder.parents):
        if path.name.startswith(("pytest-", "popen-", "test_")):
            path.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("locked", ["out", "bin", "gone/deep"])
def test_a_folder_that_refuses_a_write_rolls_everything_back(tmp_path: Path, locked: str) -> None:
    root = tmp_path / "root"
    lay_out(root, OLD)
    (root / ".windrow").mkdir()
    open_up(tmp_path)
    for path in [root, *root.rglob("*")]:
        os.chown(path, 65534, 65534)
    (root / locked).chmod(0o555)
    before = (tree(root), folders(root))

    said = run_change(root, "as-nobody").stdout

    assert said.startswith("PermissionRefused"), said
    assert locked in said and "mode 555" in said and "uid 65534" in said
    assert (tree(root), folders(root)) == before
    assert not (root / ".windrow/journal.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's folder")
def test_a_state_folder_that_cannot_even_be_looked_into_is_named(tmp_path: Path) -> None:
    open_up(tmp_path.parent)
    tmp_path.chmod(0o700)

    said = run_change(tmp_path / "root", "as-nobody").stdout

    assert said.startswith("PermissionRefused") and "uid 65534" in said


def test_every_step_that_fails_is_rolled_back(tmp_path: Path) -> None:
    steps = 0
    while True:
        root = tmp_path / str(steps)
        lay_out(root, OLD)
        before = folders(root)
        name = f"materialise.renamed-{steps}" if steps else "materialise.journal-written"

        said = run_change(root, failpoint=f"{name}=raise").stdout

        if not said:
            break
        assert "failpoint" in said
        if steps:
            assert (tree(root), folders(root)) == (OLD, before)
        steps += 1

    assert steps == 5
    assert tree(root) == NEW


POINTS = [
    "materialise.journal-written",
    *(f"materialise.renamed-{number}" for number in range(1, 5)),
    "materialise.done",
]


@pytest.mark.parametrize("name", POINTS)
def test_a_build_killed_at_any_step_is_finished_at_the_next_start(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path, OLD)
    assert run_change(tmp_path, failpoint=f"{name}=kill").returncode == -signal.SIGKILL

    outcome = recover(tmp_path, tmp_path / ".windrow")

    assert outcome == (None if name == "materialise.done" else "forward")
    assert tree(tmp_path) == NEW
    assert not (tmp_path / "gone").exists()
    assert recover(tmp_path, tmp_path / ".windrow") is None
    assert sweep(tmp_path, tmp_path / ".windrow", NEW) == 1
    assert list((tmp_path / ".windrow/stage").iterdir()) == []


@pytest.mark.parametrize("name", POINTS[:-2])
def test_a_killed_build_whose_staged_files_are_gone_is_undone(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path, OLD)
    run_change(tmp_path, failpoint=f"{name}=kill")
    journal = journals.read(tmp_path / ".windrow/journal.json")
    assert journal is not None
    lost = [step for step in journal.steps if step.staged and Path(step.staged).exists()]
    Path(lost[-1].staged).unlink()

    assert recover(tmp_path, tmp_path / ".windrow") == "back"

    assert tree(tmp_path) == OLD
    assert not (tmp_path / "out/new").exists()


@pytest.mark.parametrize("name", POINTS[:-1])
def test_recovery_killed_half_way_is_recovered(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path, OLD)
    run_change(tmp_path, failpoint="materialise.renamed-2=kill")
    code = "import sys; from pathlib import Path; from coordinator.commit.materialise import recover; r = Path(sys.argv[1]); recover(r, r / '.windrow')"
    env = {**os.environ, "WINDROW_FAILPOINT": f"{name}=kill", "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, check=False)

    recover(tmp_path, tmp_path / ".windrow")

    assert tree(tmp_path) == NEW


def test_what_someone_put_there_after_the_crash_survives_the_way_back(tmp_path: Path) -> None:
    lay_out(tmp_path, OLD)
    run_change(tmp_path, failpoint="materialise.renamed-2=kill")
    journal = journals.read(tmp_path / ".windrow/journal.json")
    assert journal is not None
    first_write = next(step for step in journal.steps if step.staged)
    (tmp_path / first_write.path).write_bytes(b"by hand")

    assert recover(tmp_path, tmp_path / ".windrow") == "back"

    assert tree(tmp_path) == {**OLD, first_write.path: b"by hand"}


def test_the_journal_of_a_live_build_is_left_alone(tmp_path: Path) -> None:
    lay_out(tmp_path, OLD)
    alive = msgspec.structs.replace(process.this(), pid=os.getppid(), start=0)
    step = Step("out/a", hashing.of_bytes(b"new a"), str(tmp_path / "x"), str(tmp_path / "y"), existed=True)
    (tmp_path / ".windrow").mkdir()
    journals.write(tmp_path / ".windrow/journal.json", Journal("b-other", alive, (step,)))

    assert recover(tmp_path, tmp_path / ".windrow") == "busy"

    assert tree(tmp_path) == OLD
    assert (tmp_path / ".windrow/journal.json").exists()


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"schema":"windrow.journal/9","build":"b","process":{"pid":1,"host":"h"},"steps":[]}']
)
def test_a_journal_that_cannot_be_read_is_an_error_that_says_what_to_do(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "journal.json").write_bytes(text)

    with pytest.raises(LocalError) as caught:
        recover(tmp_path, tmp_path)

    assert str(tmp_path / "journal.json") in caught.value.what and caught.value.fix


def test_sweeping_spares_live_builds_and_other_files(tmp_path: Path) -> None:
    state = tmp_path / ".windrow"
    mine = Staging(state, "b-live")
    Staging(state, "b-dead")
    gone = msgspec.structs.replace(process.this(), start=1)
    (state / "stage/b-dead/owner").write_bytes(msgspec.json.encode(gone))
    lay_out(
        tmp_path,
        {"out/a": b"", "out/a.tmp.77-b-dead": b"", "out/a.tmp.77-b-live": b"", "out/a.tmp": b"", "out/x.tmp.y": b""},
    )

    assert sweep(tmp_path, state, ["out/a", "not/there"]) == 2

    assert mine.folder.exists() and not (state / "stage/b-dead").exists()
    assert sorted(tree(tmp_path)) == ["out/a", "out/a.tmp", "out/a.tmp.77-b-live", "out/x.tmp.y"]


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
