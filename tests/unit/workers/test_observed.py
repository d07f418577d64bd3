"""What a command read is seen by the times of access, where nobody noted it down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.keys import key_after_run
from shared.model.action import Trace
from shared.model.job import JobOutcome
from tests.fakes.rooted import RootedFarm, ways
from workers.execute.isolation import Isolation
from workers.sandbox.marks import noticed, observable

WAYS: list[Isolation] = [*ways(), "rewriting"]


@pytest.fixture(params=WAYS)
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RootedFarm]:
    if not observable(tmp_path / "probe"):
        pytest.skip("this file system does not note when files are read")
    farm = RootedFarm(tmp_path / "checkout", tmp_path / "sandboxes", way=request.param)
    farm.write("tools/gen.py", "import helper, sys\nopen(sys.argv[1], 'w').write(helper.TEXT)\n")
    farm.write("tools/helper.py", "TEXT = 'x'\n")
    farm.write("tools/unused.py", "unused")
    farm.write("data/a.txt", "a\n")
    farm.write("data/deep/b.txt", "b\n")
    yield farm
    farm.worker.close()


def trace_of(outcome: JobOutcome) -> Trace:
    assert outcome.status == "executed", outcome
    assert outcome.result is not None
    assert outcome.result.trace is not None
    return outcome.result.trace


def test_a_module_that_a_script_imports_is_seen(farm: RootedFarm) -> None:
    action = farm.action(
        *("python3", "{root}/tools/gen.py", "out"),
        outputs=("build/out",),
        cwd="build",
        observed=True,
        tree=True,
        primary=("tools/gen.py",),
    )

    outcome = farm.perform(action)

    trace = trace_of(outcome)
    assert trace == Trace(used=("tools/helper.py",), probes=(), tree=True, listed=("tools",))
    assert outcome.result is not None
    assert outcome.result.key == key_after_run(action, trace)
    assert list(farm.results.known.values()) == [(trace,)]


READS = {
    "cat data/a.txt": ("data/a.txt",),
    "cp data/a.txt copy": ("data/a.txt",),
    "test -f data/a.txt": (),
    "ls -l data/a.txt": (),
    "rm data/a.txt": ("data/a.txt",),
    "cp -r data/deep copy": ("data/deep/b.txt",),
    "cd data && cat a.txt deep/b.txt": ("data/a.txt", "data/deep/b.txt"),
    "python3 -c 'import mmap; f = open(\"data/a.txt\"); mmap.mmap(f.fileno(), 0, access=1)[0]'": ("data/a.txt",),
}


@pytest.mark.parametrize("script", READS)
def test_what_a_command_reads_is_seen(farm: RootedFarm, script: str) -> None:
    outcome = farm.run("sh", "-c", script, observed=True, primary=())

    assert trace_of(outcome).used == READS[script]


def test_an_empty_file_counts_as_read_since_its_size_tells_all(farm: RootedFarm) -> None:
    farm.write("empty.txt", "")

    outcome = farm.run("test", "-s", "empty.txt", "-o", "-d", "data", observed=True, primary=())

    assert trace_of(outcome).used == ("empty.txt",)


def test_a_program_that_is_run_is_read(farm: RootedFarm) -> None:
    farm.write("run.sh", "#!/bin/sh\n", executable=True)

    outcome = farm.run("{root}/run.sh", observed=True, primary=())

    assert trace_of(outcome).used == ("run.sh",)


LISTED = {
    "ls": ("",),
    "ls data": ("data",),
    "echo data/*": ("data",),
    "find data": ("data", "data/deep"),
    "cat data/a.txt; cd data; mkdir new; touch new/x; ls new": (),
    "ls build": ("build",),
}


@pytest.mark.parametrize("script", LISTED)
def test_folders_that_were_listed_are_seen(farm: RootedFarm, script: str) -> None:
    outcome = farm.run("sh", "-c", script, observed=True, outputs=("build/x",))

    assert trace_of(outcome).listed == LISTED[script]


def test_a_symlink_on_the_way_is_read(farm: RootedFarm) -> None:
    farm.link("link", "data")

    outcome = farm.run("sh", "-c", "cat link/a.txt", observed=True, primary=())

    assert trace_of(outcome).used == ("data/a.txt", "link")


def test_what_was_looked_up_in_the_key_anyway_is_not_used(farm: RootedFarm) -> None:
    outcome = farm.run("sh", "-c", "cat data/*.txt", observed=True, primary=("data/a.txt",))

    assert trace_of(outcome).used == ()


def test_a_depfile_and_what_was_seen_go_together(farm: RootedFarm) -> None:
    farm.write("data/x.h", "")

    script = "ls data; cat data/a.txt; echo 'out: data/x.h' > out.d"
    outcome = farm.run("sh", "-c", script, observed=True, primary=(), depfile="out.d")

    assert trace_of(outcome).used == ("data/a.txt", "data/x.h")
    assert trace_of(outcome).listed == ("data",)


def test_the_same_reads_are_seen_in_every_run(farm: RootedFarm) -> None:
    action = farm.action("sh", "-c", "cat data/a.txt; ls data > out", outputs=("out",), observed=True, primary=())

    first, second = (farm.perform(action, no_cache=True) for _ in range(2))

    assert trace_of(first) == trace_of(second)
    assert second.message == ""


def test_where_access_is_not_noted_that_is_known(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from workers.sandbox.marks import observable; print(observable(Path('x')))"
    mount = 'mount -t tmpfs -o noatime none "$1" && cd "$1" && exec "$2" -c "$3"'

    said = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        check=False,
    )

    if said.returncode != 0:
        pytest.skip("no file system can be mounted here")
    assert said.stdout == "False\n"


@pytest.mark.parametrize("kind", ["btrfs", "xfs", "ext4"])
def test_where_files_are_copied_without_being_read_that_is_known(tmp_path: Path, kind: str) -> None:
    """`cp` has XFS and Btrfs clone a file, which leaves its time of access as it was."""
    image, place = tmp_path / "image", tmp_path / "place"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)  # a hole
    made = shutil.which(f"mkfs.{kind}") and subprocess.run([f"mkfs.{kind}", "-q", image], check=False).returncode == 0
    if not made or subprocess.run(["mount", "-o", "loop", image, place], check=False).returncode != 0:
        pytest.skip(f"no {kind} can be made and mounted here")
    try:
        assert observable(place / "site") == (kind == "ext4")
        assert list(place.glob("site*")) == []
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("command", [("cp", "a", "b"), ("cat", "a"), ("ln", "-s", "a", "b"), ("dd", "if=a", "of=b")])
def test_what_counts_as_observable_shows_how_commands_read(tmp_path: Path, command: tuple[str, ...]) -> None:
    if not observable(tmp_path / "probe"):
        pytest.skip("this file system does not show every access")
    (tmp_path / "a").write_text("a")
    os.utime(tmp_path / "a", ns=(1, 946_684_800 * 10**9))

    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    assert noticed((tmp_path / "a").lstat()) == (command[0] != "ln")


@pytest.mark.parametrize("command", ["ln data/a.txt out", "cp -l data/a.txt out", "mv data/a.txt out"])
def test_a_file_that_becomes_an_output_without_being_read_was_read(farm: RootedFarm, command: str) -> None:
    outcome = farm.run("sh", "-c", command, observed=True, primary=())

    assert "data/a.txt" in trace_of(outcome).used
