"""windrow farm up, status, down and windrow worker: real processes, a real bucket, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil
import pytest
from redis.exceptions import AuthenticationError

from cli import servers
from cli.local_farm import LocalFarm
from shared import queue, toolchain
from shared.clock import SystemClock
from shared.errors import ConfigError, LocalError
from tests.live.farm_rig import ROOT, Build, Rig, settings
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
OURS = ("shared", "cli", "workers", "coordinator")


def processes_of(folder: Path) -> list[int]:
    """Processes whose command line names a folder, or that work in it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        words = [*(process.info["cmdline"] or []), process.info["cwd"] or ""]
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words):
            found.append(process.pid)
    return found


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LocalFarm]:
    local = LocalFarm(tmp_path / "farm", clock=SystemClock(), environ=os.environ)
    yield local
    local.down()


def perform_one(broker: str, folder: Path) -> None:
    """Have one job without a process performed by whatever workers there are."""
    build = Build(settings(broker), folder, platform=toolchain.system(), tools=())
    build.performer.open(build.hear)
    try:
        order = build.order("nothing")
        action = msgspec.structs.replace(order.action, kind="noop")
        build.performer.submit([msgspec.structs.replace(order, action=action)])
        assert build.wait(1) == {"nothing": 1}
        assert build.outcomes[0].status == "executed"
    finally:
        build.performer.close()


def test_a_farm_comes_up_once_serves_and_goes_down_without_a_trace(farm: LocalFarm, tmp_path: Path) -> None:
    first, before = farm.up(workers=2, slots=1)
    second, before_then = farm.up(workers=2, slots=1)
    perform_one(first.broker, tmp_path / "blobs")

    assert (before.up, before_then.up) == (False, True)
    assert first.workers == second.workers
    assert len(second.beats) == 2

    farm.down()

    assert not farm.status().any
    assert processes_of(farm.folder) == []
    assert farm.down().any is False


def test_a_farm_comes_back_on_the_same_ports_with_the_same_keys(farm: LocalFarm) -> None:
    before, _ = farm.up(workers=1, slots=1)
    keys = farm.credentials_file.read_text()
    farm.down()

    after, _ = farm.up(workers=1, slots=1)

    assert (after.broker, after.endpoint) == (before.broker, before.endpoint)
    assert farm.credentials_file.read_text() == keys


def test_a_dead_worker_is_replaced_and_the_others_stay(farm: LocalFarm) -> None:
    before, _ = farm.up(workers=2, slots=1)
    os.kill(before.workers[0], signal.SIGKILL)
    until(lambda: not farm.status().up)

    after, half = farm.up(slots=1)

    assert (half.up, after.up) == (False, True)
    assert (after.broker, after.endpoint) == (before.broker, before.endpoint)
    assert len(after.workers) == 2
    assert set(before.workers) - set(after.workers) == {before.workers[0]}


def test_a_farm_that_lost_its_broker_is_cleared_away_and_started_anew(farm: LocalFarm, tmp_path: Path) -> None:
    before, _ = farm.up(workers=1, slots=1)
    path = farm.write(before, tmp_path)
    broker = servers.recorded(farm.folder / "broker")
    assert broker is not None
    os.kill(broker.pid, signal.SIGKILL)
    until(lambda: not farm.status().broker)
    farm.broker_file.chmod(0o644)

    after, half = farm.up(workers=1, slots=1)

    assert (half.up, after.up) == (False, True)
    assert after.workers != before.workers
    assert len(processes_of(farm.folder)) == 3
    assert after.broker != before.broker, "a password that others could read is not used again"
    assert after.broker in path.read_text()


def test_up_brings_the_workers_to_the_number_that_is_asked_for(farm: LocalFarm, tmp_path: Path) -> None:
    one, _ = farm.up(workers=1, slots=1)
    three, _ = farm.up(workers=3, slots=1)
    two, _ = farm.up(workers=2, slots=1)
    same, _ = farm.up(slots=1)
    perform_one(same.broker, tmp_path / "blobs")

    assert [len(state.workers) for state in (one, three, two, same)] == [1, 3, 2, 2]
    assert one.workers == three.workers[:1]
    assert two.workers == same.workers == three.workers[:2]
    assert len(same.beats) == 2
    assert not psutil.pid_exists(three.workers[2])


def test_a_worker_too_many_that_does_not_start_leaves_the_others(farm: LocalFarm, tmp_path: Path) -> None:
    before, _ = farm.up(workers=1, slots=1)
    (tmp_path / "windrow").mkdir()
    (tmp_path / "windrow" / "config.toml").write_text("[nonsense]\n")
    broken = LocalFarm(farm.folder, clock=SystemClock(), environ={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)})

    with pytest.raises(LocalError, match="a worker did not start"):
        broken.up(workers=3, slots=1)

    assert farm.status().up
    assert farm.status().workers == before.workers


def test_the_broker_serves_those_who_know_its_password_only(farm: LocalFarm) -> None:
    state, _ = farm.up(workers=1, slots=1)
    parts = urlsplit(state.broker)

    with queue.connect(f"redis://127.0.0.1:{parts.port}/0") as stranger, pytest.raises(AuthenticationError):
        stranger.ping()

    assert parts.password is not None
    assert len(parts.password) >= 30
    holders = [
        path for path in farm.folder.rglob("*") if path.is_file() and parts.password in path.read_text("latin-1")
    ]
    assert farm.broker_file in holders
    assert farm.broker_file.read_text().strip() == state.broker
    private = [*holders, farm.credentials_file, farm.folder / "broker/valkey.conf", farm.folder / "storage/s3.json"]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in private if path.stat().st_mode & 0o077} == {}
    assert stat.S_IMODE(farm.folder.stat().st_mode) == 0o700
    for process in psutil.process_iter(["cmdline"]):
        assert parts.password not in " ".join(process.info["cmdline"] or [])


def test_a_farm_whose_workers_do_not_start_leaves_nothing(farm: LocalFarm, tmp_path: Path) -> None:
    (tmp_path / "windrow").mkdir()
    (tmp_path / "windrow" / "config.toml").write_text("[nonsense]\n")
    broken = LocalFarm(farm.folder, clock=SystemClock(), environ={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)})

    with pytest.raises(LocalError, match="a worker did not start") as caught:
        broken.up(workers=1, slots=1)

    assert "nonsense" in caught.value.why
    assert processes_of(farm.folder) == []
    assert not farm.status().any


def test_write_points_a_project_at_the_farm_and_down_takes_it_back(farm: LocalFarm, tmp_path: Path) -> None:
    state, _ = farm.up(workers=1, slots=1)

    path = farm.write(state, tmp_path)

    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert state.broker in text
    assert str(farm.credentials_file) in text
    assert farm.credentials_file.read_text().split("= ")[-1].strip() not in text
    farm.down()
    assert not path.exists()


def test_a_local_settings_file_of_the_users_own_is_left_alone(farm: LocalFarm, tmp_path: Path) -> None:
    (tmp_path / "windrow.local.toml").write_text("[farm]\n")

    with pytest.raises(ConfigError, match="is there already"):
        farm.write(farm.status(), tmp_path)

    assert (tmp_path / "windrow.local.toml").read_text() == "[farm]\n"


@pytest.mark.parametrize("script", [False, True], ids=["windrow.py", "console script"])
def test_a_worker_starts_in_a_project_that_has_folders_named_like_ours(tmp_path: Path, script: bool) -> None:
    hostile = tmp_path / "project"
    for name in OURS:
        (hostile / name).mkdir(parents=True)
        (hostile / name / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    rig = Rig(tmp_path)
    console = Path(sys.executable).with_name("windrow")
    command = [str(console)] if script else [sys.executable, str(ROOT / "windrow.py")]
    command += ["worker", "--broker", rig.valkey.url, "--storage", f"file://{tmp_path}/store", "--slots", "1"]
    environ = {**os.environ, "PYTHONPATH": ".", "WINDROW_CACHE_DIR": str(tmp_path / "cache")}
    with open(tmp_path / "worker0.log", "wb") as log:
        rig.workers.append(subprocess.Popen(command, cwd=hostile, env=environ, stderr=log))
    try:
        until(rig.beats, what=f"the worker\n{rig.logs()}")

        perform_one(rig.valkey.url, tmp_path / "blobs")

        assert os.readlink(f"/proc/{rig.workers[0].pid}/cwd") == "/"
        rig.workers[0].send_signal(signal.SIGTERM)
        assert rig.workers[0].wait(10) == 0
    finally:
        rig.close()


def test_a_worker_told_of_no_broker_says_which_flag_is_missing(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WINDROW_")}
    command = [sys.executable, str(ROOT / "windrow.py"), "worker"]

    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "a worker needs --broker" in done.stderr


def commanded(farm: LocalFarm, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "windrow.py"), "farm", *words, "--dir", str(farm.folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_the_commands_tell_the_state_as_json_without_a_secret(farm: LocalFarm) -> None:
    texts = [commanded(farm, *words, "--json").stdout for words in (["status"], ["up", "--workers", "1"], ["status"])]

    before, started, after = map(json.loads, texts)
    assert (before["schema"], before["up"], started["was_up"], after["up"]) == ("windrow.farm/1", False, False, True)
    assert len(after["worker_pids"]) == 1
    assert after["broker_file"] == str(farm.broker_file)
    assert servers.recorded(farm.folder / "broker") is not None
    assert str(urlsplit(farm.status().broker).password) not in "".join(texts)


def test_the_lines_that_up_prints_let_a_shell_use_the_farm_and_hold_no_secret(farm: LocalFarm) -> None:
    up, status = commanded(farm, "up", "--workers", "1"), commanded(farm, "status")

    shell = subprocess.run(["sh", "-c", f"{up.stdout}\nenv"], capture_output=True, text=True, check=True)
    told = dict(line.partition("=")[::2] for line in shell.stdout.splitlines() if line.startswith("WINDROW_"))
    state = farm.status()
    password = urlsplit(state.broker).password
    assert told["WINDROW_FARM__BROKER"] == state.broker
    assert told["WINDROW_STORAGE__ENDPOINT"] == state.endpoint
    assert told["WINDROW_STORAGE__CREDENTIALS_FILE"] == str(farm.credentials_file)
    assert password is not None
    assert password not in up.stdout + up.stderr + status.stdout + status.stderr


def test_a_farm_is_opened_by_its_own_keys_whatever_keys_a_shell_has(farm: LocalFarm, tmp_path: Path) -> None:
    (tmp_path / "windrow.toml").write_text('[project]\nname = "keys"\n')
    farm.write(farm.up(workers=1, slots=1)[0], tmp_path)
    told = {name: value for name, value in os.environ.items() if not name.startswith("WINDROW_")}
    others = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "else", "AWS_SESSION_TOKEN": "old"}
    environ = {**told, **others, "WINDROW_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, str(ROOT / "windrow.py"), "doctor", "--json"]

    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_of_git_gets_the_settings_and_no_server_stays_in_its_folder(farm: LocalFarm, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / "windrow.toml").write_text('[project]\nname = "tree"\n')
    command = [sys.executable, str(ROOT / "windrow.py"), "farm", "up", "--write", "--workers", "1"]

    said = subprocess.run(
        [*command, "--dir", str(farm.folder)], cwd=tree, capture_output=True, text=True, check=True
    ).stderr

    assert "added windrow.local.toml to .gitignore" in said
    assert (tree / ".gitignore").read_text() == "windrow.local.toml\n"
    places = {Path(f"/proc/{pid}/cwd").readlink() for pid in processes_of(farm.folder)}
    assert places
    assert not any(place.is_relative_to(tree) for place in places)
