"""The folder of a worker: made, swept once its worker is dead, and removed whatever a job left in it."""

from __future__ import annotations

import fcntl
import os
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
