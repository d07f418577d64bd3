"""What a command writes by way of a mapping is seen, where the times of a file in memory say nothing of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.rooted import RootedFarm
from tests.unit.workers.test_kept import NAMES, Bench, listing
from workers.sandbox.home import Home
from workers.sandbox.written import Watch, shown

MAPPED = """\
import mmap, os, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
    mapped[0], mapped[:1] = mapped[0], b"z"
"""


@pytest.fixture(params=["memory", "disk"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "disk":
        yield tmp_path
        return
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("this machine has no file system in memory")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def bench(root: Path) -> Iterator[Bench]:
    made = Bench(root)
    yield made
    made.home.close()


def _map(path: str):
    def work(tree: Path) -> None:
        subprocess.run([sys.executable, "-c", MAPPED, tree / path], check=True)

    return work


@pytest.mark.parametrize("observed", [False, True])
def test_an_input_that_was_written_to_by_way_of_a_mapping_is_not_handed_on(bench: Bench, *, observed: bool) -> None:
    given = bench.given()

    _, _, changed = bench.run(given, _map(NAMES[3]), observed=observed)

    assert changed == [NAMES[3]]
    held: dict[str, str] = {}
    bench.run(given, lambda tree: held.update(listing(tree)), observed=observed)
    assert held == dict.fromkeys(NAMES, "x")
    assert bench.laid_out == [NAMES[3]]


def test_the_same_goes_for_the_jobs_after_it_and_for_folders_that_come_and_go(bench: Bench) -> None:
    given, more = bench.given(), bench.given(names=["new/a", "new/b"])
    bench.run(given)
    bench.run({**given, **more}, _map("new/a"))
    bench.run(given, _map(NAMES[3]))
    bench.run(given, lambda tree: shutil.rmtree(tree / "inc/05"))
    bench.run({**given, **more}, _map(NAMES[5]))

    held, _, changed = bench.run({**given, **more})

    assert held == dict.fromkeys([*NAMES, "new/a", "new/b"], "x")
    assert bench.laid_out == [NAMES[5]]
    assert not changed


def test_a_file_that_was_mapped_and_holds_what_it_did_is_no_changed_one(bench: Bench) -> None:
    given = bench.given("z")

    _, _, changed = bench.run(given, _map(NAMES[3]))

    assert changed == []


def test_a_file_that_a_job_made_anew_by_way_of_a_mapping_is_not_what_the_next_is_given(root: Path) -> None:
    farm = RootedFarm("/checkout", root / "sandboxes", way="rewriting")
    for path in NAMES:
        farm.write(path, "x")
    farm.write("map.py", MAPPED)
    try:
        first = farm.run("python3", "{root}/map.py", NAMES[3], outputs=(NAMES[3],))
        second = farm.run("cp", NAMES[3], "out", outputs=("out",))

        assert (farm.made(first), farm.made(second)) == ({NAMES[3]: b"z"}, {"out": b"x"})
        for kept in (len(NAMES), 5):  # so many files are handed on, and so few are not
            farm.files = {path: item for path, item in farm.files.items() if path not in NAMES[kept:]}
            refused = farm.run("python3", "{root}/map.py", NAMES[4])
            assert (refused.status, "changed its own inputs" in refused.message) == ("failed", True)
    finally:
        farm.worker.close()


def test_where_it_cannot_be_seen_nothing_is_handed_on(bench: Bench) -> None:
    """Not all folders of the tree are there to be watched; or a limit of the system is reached."""
    tell = bench.home.watch(bench.home.path, ("", "nowhere"))

    assert tell() == (frozenset() if shown(bench.home.place()) else None)


def test_more_events_than_the_system_keeps_are_told_as_not_known(root: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watch = Watch()
    tell, other = watch.over(str(root), ("",)), root / "other"
    for number in range(most + 1):
        os.close(os.open(root / f"{number % 2}", os.O_WRONLY | os.O_CREAT))

    assert tell() is None
    other.mkdir()
    assert watch.over(str(root), ("other",))() == frozenset()
    watch.close()


def test_a_home_takes_one_number_of_the_system_for_all_its_trees(root: Path) -> None:
    """There are 128 of them for a user."""
    before = set(os.listdir("/proc/self/fd"))
    home = Home(root / "home")
    for number in range(20):
        tree = root / str(number)
        tree.mkdir()
        home.watch(tree, ("",))

    assert len(set(os.listdir("/proc/self/fd")) - before) <= 2
    home.close()
    assert set(os.listdir("/proc/self/fd")) - before == set()
