"""Commands that run in the real tree itself: on the machine that has it, and without a trace in any store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import hashing
from tests.fakes.rooted import RootedFarm
from tests.waiting import until


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[RootedFarm]:
    root = tmp_path / "checkout"
    (root / "src").mkdir(parents=True)
    farm = RootedFarm(root, tmp_path / "sandboxes", workspace=root)
    yield farm
    farm.worker.close()
    assert list((tmp_path / "sandboxes").iterdir()) == []


def test_it_runs_where_the_real_files_are(farm: RootedFarm, tmp_path: Path) -> None:
    (tmp_path / "checkout/src/real").write_text("real")
    outputs = ("build/out", "build/link", "build/folder", "build/none", "build/tool")

    script = "cat {root}/src/real > out; ln -s out link; mkdir folder; echo > tool; chmod +x tool; touch more; pwd"
    outcome = farm.run("sh", "-c", script, outputs=outputs, cwd="build", kind="workspace")

    assert outcome.status == "executed", outcome
    assert outcome.result is not None
    found = {output.path: output for output in outcome.result.outputs}
    assert list(found) == ["build/out", "build/link", "build/tool"]
    assert found["build/out"].hash == hashing.of_bytes(b"real")
    assert (found["build/link"].mode, found["build/link"].target) == ("link", "out")
    assert found["build/tool"].mode == "exec"
    assert outcome.stdout.text == f"{tmp_path}/checkout/build\n"
    assert (tmp_path / "checkout/build/more").exists()


def test_its_outputs_are_stored_for_the_revision_and_no_result_for_others(farm: RootedFarm) -> None:
    farm.run("sh", "-c", "echo x > out; ln -s out link", outputs=("out", "link"), kind="workspace")

    assert farm.results.stored == {}
    assert sorted(farm.blobs.contents.values()) == [b"out", b"x\n"]


def test_it_has_the_environment_of_whoever_builds(farm: RootedFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "1")
    monkeypatch.setenv("GONE", "1")

    outcome = farm.run(
        *("sh", "-c", "echo $MINE $GONE $SET; echo $PWD"), kind="workspace", env=(("GONE", None), ("SET", "2"))
    )

    assert outcome.stdout.text == f"1 2\n{farm.root}\n"


def test_its_files_are_there_while_it_runs_and_stay_when_it_fails(farm: RootedFarm, tmp_path: Path) -> None:
    about = {"kind": "workspace", "files": (("build/a.rsp", "-I\0/inc"),), "cwd": "build"}

    good = farm.run("sh", "-c", "cat a.rsp", **about)
    gone = not (tmp_path / "checkout/build/a.rsp").exists()
    bad = farm.run("sh", "-c", "exit 3", **about)

    assert good.stdout.text == f"-I{tmp_path}/checkout/inc"
    assert gone
    assert (bad.status, bad.exit_code) == ("failed", 3)
    assert (tmp_path / "checkout/build/a.rsp").read_text() == f"-I{tmp_path}/checkout/inc"


def test_what_has_the_terminal_is_ended_with_all_that_it_started(farm: RootedFarm, tmp_path: Path) -> None:
    script = "echo $$ > shell; sleep 600 & echo $! > child; setsid sleep 600 & echo $! > away; cd . && sleep 600"

    outcome = farm.perform(farm.action("sh", "-c", script, kind="workspace", console=True), timeout=0.5)

    assert outcome.status == "failed" and "time limit" in outcome.message, outcome
    started = [int((tmp_path / "checkout" / name).read_text()) for name in ("shell", "child", "away")]
    until(lambda: not any(Path(f"/proc/{pid}/cwd").exists() for pid in started), what="the end of all of them")


def test_a_worker_of_another_machine_refuses_it(tmp_path: Path) -> None:
    farm = RootedFarm(tmp_path / "checkout", tmp_path / "sandboxes")

    outcome = farm.run("touch", "x", kind="workspace")

    assert outcome.status == "failed"
    assert "not on this machine" in outcome.message
    farm.worker.close()


def test_paths_that_lead_out_are_refused_before_anything_is_made(farm: RootedFarm, tmp_path: Path) -> None:
    outcome = farm.run("touch", "x", kind="workspace", outputs=("../x/y",))

    assert outcome.status == "failed"
    assert not (tmp_path / "x").exists()
