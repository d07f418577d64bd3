"""The folder of a worker: made, swept once its worker is dead, and removed whatever a job left in it."""

from __future__ import annotations

import fcntl
import itertools
import os
import subprocess
from pathlib import Path

import pytest

from shared.errors import PermissionRefused
from workers.sandbox.home import Home
from workers.sandbox.removal import remove


def test_what_a_dead_worker_left_is_removed_and_a_live_one_is_spared(tmp_path: Path) -> None:
    live = Home(tmp_path)
    dead = tmp_path / "w-1-dead"
    (dead / "1/tree").mkdir(parents=True)
    (dead / "lock").touch()

    second = Home(tmp_path)

    assert not dead.exists()
    assert live.path.is_dir()
    live.close()
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_another_worker_took_for_a_dead_ones_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both start at once: one is not done with locking its folder when the other looks for what is unlocked."""
    lock, others = fcntl.flock, list[Home]()

    def late(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        others.append(Home(tmp_path))
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    home = Home(tmp_path)

    home.place().mkdir()
    assert sorted(tmp_path.iterdir()) == sorted([home.path, others[0].path])
    home.close()
    others[0].close()


def test_places_are_given_out_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep/root")

    assert len({home.place() for _ in range(50)}) == 50
    home.close()


def test_a_home_that_cannot_be_made_names_the_place(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)

    with pytest.raises(PermissionRefused, match="w-"):
        Home(tmp_path)


def test_what_is_left_of_a_home_whose_end_was_cut_short_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a second Ctrl-C, or a SIGKILL; wherever that happens."""
    rmdir = os.rmdir

    def left_by_one_that_ends_at(call: int) -> bool:
        home, calls = Home(tmp_path), itertools.count()
        for name in ("tree", "tmp", "1"):
            (home.place() / name).mkdir(parents=True)

        def end(*where: object, **how: object) -> None:
            if next(calls) == call:
                raise KeyboardInterrupt
            rmdir(*where, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "rmdir", end)
        try:
            home.close()
        except KeyboardInterrupt:
            os.close(home._lock)
            return True
        else:
            return False
        finally:
            monkeypatch.undo()

    number = 0
    while left_by_one_that_ends_at(number):
        number += 1
        Home(tmp_path).close()
        # The last thing to go is an empty folder.
        assert [len(list(path.iterdir())) for path in tmp_path.iterdir()] in ([], [0])
        for path in tmp_path.iterdir():
            path.rmdir()
    assert number >= 6


@pytest.mark.parametrize("depth", [100, 1200, 3000])
def test_removal_copes_with_any_depth(tmp_path: Path, depth: int) -> None:
    """Tests of path limits make such folders, as those of gnulib, and leave them when they are killed."""
    deep(tmp_path / "tree", depth)
    try:
        remove(tmp_path / "tree")

        assert list(tmp_path.iterdir()) == []
    finally:
        # Nor could pytest remove it.
        subprocess.run(["rm", "-rf", tmp_path / "tree"], check=True)


def deep(tree: Path, depth: int) -> None:
    """Folders in each other, the lowest locked, which are too many to have a path."""
    tree.mkdir()
    folder = os.open(tree, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("dd", dir_fd=folder)
        below = os.open("dd", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.mkdir("locked", 0o500, dir_fd=folder)
    os.close(folder)


def test_removal_copes_with_locked_folders_and_follows_no_symlink(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").write_text("")
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/f").write_text("")
    (tree / "link").symlink_to(keep)
    (tree / "a/b").chmod(0)
    (tree / "a").chmod(0)

    remove(tree)

    assert not tree.exists()
    assert (keep / "file").exists()
