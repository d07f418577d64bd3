"""Materialising: all or nothing, whatever fails and wherever the process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from coordinator.commit import journal as journals
from coordinator.commit.journal import Journal, Step
from coordinator.commit.materialise import Staging, recover, sweep
from shared import hashing, process
from shared.errors import LocalError
from tests.unit.coordinator.materialise.trees import NEW, OLD, folders, lay_out, tree

REPOSITORY = Path(__file__).resolve().parents[4]
# A child process that takes the tree from OLD to NEW.
CHANGE = """
import os, sys
from pathlib import Path
from tests.unit.coordinator.materialise.trees import change
if len(sys.argv) > 2: os.setgid(65534); os.setuid(65534)
try:
    change(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, "|", error, "|", getattr(error, "at", ""), "|", getattr(error, "why", ""))
"""


def run_change(root: Path, *arguments: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "WINDROW_FAILPOINT": failpoint, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-c", CHANGE, str(root), *arguments], env=env, capture_output=True, text=True
    )


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
