"""Small jobs run in memory where there is much of it, and on the disk when it runs out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import hashing
from shared.clock import SystemClock
from shared.errors import DiskFull
from shared.model.action import Action, Input
from shared.model.job import JobOrder, JobOutcome
from shared.storage.memory import MemoryBlobs
from tests.fakes.results import DictResults
from workers.perform import Worker
from workers.sandbox import memory
from workers.sandbox.memory import Memory
from workers.workshop import Workshop


class Filling(Memory):
    """Runs short as soon as a job makes a file named `full` in it."""

    def short(self) -> bool:
        return (self.root / "full").exists()


class Site:
    """A worker with a folder that counts as memory beside the one for all other jobs."""

    def __init__(self, root: Path, kind: type[Memory] = Filling) -> None:
        self.memory = kind(root / "memory", 0)
        self.memory.root.mkdir()
        self.blobs = MemoryBlobs()
        self.worker = Worker(
            Workshop(
                self.blobs,
                DictResults(self.blobs),
                name="w1",
                sandbox_root=root / "disk",
                slots=1,
                clock=SystemClock(),
                memory=self.memory,
            )
        )

    def perform(self, script: str, *inputs: Input) -> JobOutcome:
        primary = tuple(item.path for item in inputs)
        action = Action("command", ("sh", "-c", script), (), ("out",), None, "test", inputs, primary)
        return self.worker.perform(JobOrder("b1", "job", 1, action, 30.0))

    def made(self, outcome: JobOutcome) -> str:
        assert outcome.status == "executed", outcome
        assert outcome.result is not None
        return self.blobs.get(outcome.result.outputs[0].hash).decode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.worker.close()
    assert list(tmp_path.glob("*/w-*")) == []


def test_a_small_job_runs_in_memory(site: Site) -> None:
    assert str(site.memory.root) in site.made(site.perform("pwd -P > out"))


def test_a_job_with_large_inputs_runs_on_the_disk(site: Site, tmp_path: Path) -> None:
    large = b"x" * (129 << 20)
    item = Input("large", hashing.of_bytes(large), len(large))
    site.blobs.put(item.hash, large)

    assert str(tmp_path / "disk") in site.made(site.perform("pwd -P > out", item))


def test_no_job_is_begun_in_memory_that_is_used_up(site: Site, tmp_path: Path) -> None:
    (site.memory.root / "full").touch()

    assert str(tmp_path / "disk") in site.made(site.perform("pwd -P > out"))


@pytest.mark.parametrize("how", ["echo 'ld: final link failed: No space left on device' >&2; exit 1", "kill -BUS $$"])
def test_a_job_that_finds_no_space_in_memory_runs_anew_on_the_disk(site: Site, tmp_path: Path, how: str) -> None:
    outcome = site.perform(f"case $(pwd -P) in {site.memory.root}/*) {how};; esac; pwd -P > out")

    assert str(tmp_path / "disk") in site.made(outcome)


def test_a_job_that_takes_too_much_memory_is_stopped_and_runs_anew_on_the_disk(site: Site, tmp_path: Path) -> None:
    root = site.memory.root

    outcome = site.perform(f"case $(pwd -P) in {root}/*) touch {root}/full; sleep 25;; esac; pwd -P > out")

    assert str(tmp_path / "disk") in site.made(outcome)


def take_away(folder: Path) -> None:
    # The worker may be removing what is in it.
    subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, Memory)
    yield site
    site.worker.close()
    assert list(tmp_path.glob("*/w-*")) == []


@pytest.mark.parametrize("what", ["memory", "memory/w-*", "for good"])
def test_a_worker_whose_folder_in_memory_is_taken_away_goes_on(plain: Site, tmp_path: Path, what: str) -> None:
    """As that of a user who logs out: systemd removes it, or unmounts what it is in."""
    first = plain.made(plain.perform("pwd -P > out"))
    for path in tmp_path.glob("memory" if what == "for good" else what):
        take_away(path)
    if what == "for good":
        plain.memory.root.touch()

    second = plain.made(plain.perform("pwd -P > out;"))

    assert str(plain.memory.root) in first
    assert str(tmp_path / ("disk" if what == "for good" else "memory")) in second


def test_a_job_whose_folder_is_taken_away_under_it_runs_anew_on_the_disk(plain: Site, tmp_path: Path) -> None:
    outcome = plain.perform(f"case $(pwd -P) in */memory/*) rm -rf {plain.memory.root}; exit 3;; esac; pwd -P > out")

    assert str(tmp_path / "disk") in plain.made(outcome)


def test_a_worker_whose_folder_on_the_disk_is_taken_away_makes_another(site: Site, tmp_path: Path) -> None:
    (site.memory.root / "full").touch()
    site.perform("echo > out")
    take_away(tmp_path / "disk")

    assert str(tmp_path / "disk") in site.made(site.perform("pwd -P > out"))


def test_a_job_that_fails_for_another_reason_is_not_repeated(site: Site) -> None:
    outcome = site.perform(f"echo x >> {site.memory.root}/runs; exit 3")

    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert (site.memory.root / "runs").read_text() == "x\n"


def test_a_job_that_finds_no_space_on_the_disk_either_has_failed(site: Site) -> None:
    outcome = site.perform("echo 'No space left on device' >&2; exit 1")

    assert (outcome.status, outcome.exit_code) == ("failed", 1)


def test_the_folder_found_is_this_users_alone(tmp_path: Path) -> None:
    found = memory.find({"XDG_RUNTIME_DIR": str(tmp_path)})

    if found is None:
        pytest.skip("this machine has little memory to spare")
    assert found.root == tmp_path / f"windrow-{os.geteuid()}"
    assert found.root.stat().st_mode & 0o777 == 0o700
    assert not found.short()


@pytest.mark.parametrize("trap", ["open to others", "a symlink", "a file"])
def test_a_folder_that_somebody_else_may_have_prepared_is_not_used(tmp_path: Path, trap: str) -> None:
    root = tmp_path / f"windrow-{os.geteuid()}"
    if trap == "a symlink":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        root.symlink_to(tmp_path / "elsewhere")
    elif trap == "a file":
        root.touch(0o600)
    else:
        root.mkdir()
        root.chmod(0o777)

    found = memory.find({"XDG_RUNTIME_DIR": str(tmp_path)})

    assert found is None or found.root.parent != tmp_path


def test_memory_is_short_below_its_floor(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    action = Action("command", ("true",), (), (), None, "test", (), ())

    assert Memory(tmp_path, 1).takes(action)
    assert not Memory(tmp_path, 2 * free).takes(action)


def test_a_full_disk_is_no_reason_to_try_for_ever(site: Site) -> None:
    class Full(MemoryBlobs):
        def put_file(self, hash_: str, path: Path) -> int:
            raise DiskFull("the store is full")

    blobs = Full()
    worker = Worker(
        Workshop(
            blobs,
            DictResults(blobs),
            name="w2",
            sandbox_root=site.memory.root.parent / "disk",
            slots=1,
            clock=SystemClock(),
            memory=site.memory,
        )
    )
    action = Action("command", ("sh", "-c", "echo > out"), (), ("out",), None, "test", (), ())
    try:
        with pytest.raises(DiskFull, match="the store is full"):
            worker.perform(JobOrder("b1", "job", 1, action, 30.0))
    finally:
        worker.close()
