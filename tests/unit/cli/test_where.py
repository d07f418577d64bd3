"""`windrow -C DIR COMMAND` is as if started in DIR, whatever the command; what a farm would write into a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import gitignore
from tests.console import Console, powerless


@pytest.fixture
def beside(tmp_path: Path) -> Console:
    """A shell in a folder without a project, beside `tree`, which is one."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "windrow.toml").write_text('[project]\nname = "where"\n')
    (tree / "a.txt").touch()
    (tree / "build.ninja").write_text("rule cp\n  command = cp $in $out\nbuild b: cp a.txt\n")
    return Console(tmp_path, tmp_path / "cache")


def test_ninja_runs_there(beside: Console) -> None:
    said = beside.run("-C", "tree", "ninja")

    assert said.code == 0, said.err
    assert (beside.folder / "tree/b").exists()


def test_a_farm_is_of_the_project_there_and_its_folder_lies_there(beside: Console) -> None:
    """The folder is none, which is said before anything is started."""
    said = beside.run("-C", "tree", "farm", "up", "--write", "--dir", "a.txt")

    assert said.code == 36
    assert f"while writing {beside.folder}/tree/a.txt" in said.err


@pytest.mark.parametrize("mode", [0o755, 0o555])
def test_where_a_farm_may_not_write_none_is_started(beside: Console, mode: int) -> None:
    tree = beside.folder / "tree"
    if mode == 0o755:
        (tree / "windrow.local.toml").write_text("[build]\njobs = 1\n")
    tree.chmod(mode)

    said = beside.run("-C", "tree", "farm", "up", "--write", before=powerless())

    tree.chmod(0o755)
    expected = (2, "windrow.local.toml is there already") if mode == 0o755 else (36, f"permission denied while writing {tree}")
    assert (said.code, expected[1] in said.err) == (expected[0], True), said.err
    assert not (beside.cache / "farm").exists()


def test_a_secret_is_kept_out_of_git_once(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    assert not gitignore.of_git(tmp_path / "tree")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("build/")

    added = [gitignore.add(tmp_path / ".gitignore", ["windrow.local.toml"]) for _ in range(2)]

    assert gitignore.of_git(tmp_path / "tree")
    assert added == [["windrow.local.toml"], []]
    assert (tmp_path / ".gitignore").read_text() == "build/\nwindrow.local.toml\n"
