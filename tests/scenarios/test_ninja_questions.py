"""Questions to a project with a build.ninja: what a commit affects, and what a build would do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.console import Console

# The build folder is git's business no more than that of a CMake project.
BUILD = """\
rule configure
  command = cp ../list.txt list.copy && touch build.ninja
  generator = 1
rule cat
  command = cat $in > $out
build build.ninja | list.copy: configure ../list.txt
build a.out: cat ../a.txt
build b.out: cat ../b.txt
build all.out: cat a.out b.out | config.txt
"""


class Project:
    """A git repository with a configured build folder that git ignores."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "tree"
        (self.folder / "build").mkdir(parents=True)
        self.console = Console(self.folder, root / "cache")
        for path, text in {
            "windrow.toml": '[project]\nname = "x"\n\n[ninja]\nfile = "build/build.ninja"\n',
            ".gitignore": "/build/\n.windrow/\n",
            "a.txt": "a\n",
            "b.txt": "b\n",
            "list.txt": "one\n",
            "build/list.copy": "one\n",
            "build/config.txt": "of the configuration\n",
            "build/build.ninja": BUILD,
        }.items():
            self.write(path, text)
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=all"]):
            identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
            subprocess.run(["git", *identity, *words], cwd=self.folder, check=True)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("built", [True, False])
def test_a_commit_affects_what_reads_what_it_has_otherwise(project: Project, built: bool) -> None:
    if built:
        assert project.console.run("build").code == 0
    assert project.console.run("affected", "--since", "HEAD").out.startswith("nothing is affected: ")

    project.write("a.txt", "other\n")
    said = project.console.run("affected", "--since", "HEAD").out.splitlines()

    assert said[0] == "modified  a.txt"
    assert [line.split()[1] for line in said[1:]] == ["cat:build/a.out", "cat:build/all.out"]


def test_since_a_revision_edges_are_not_said_to_have_made_nothing(project: Project) -> None:
    project.console.run("build")
    project.write("b.txt", "other\n")

    said = project.console.run("affected", "--since", "rev-0001").out.splitlines()

    assert [line.split()[1] for line in said[1:]] == ["cat:build/b.out", "cat:build/all.out"]


def test_a_plan_says_that_the_build_file_would_be_made_anew(project: Project) -> None:
    project.console.run("build")
    assert project.console.run("build", "--check").code == 0
    project.write("list.txt", "two\n")

    plan, check = project.console.run("plan"), project.console.run("build", "--check")

    assert f"warning: {project.folder}/list.txt changed: a build makes its build file anew first" in plan.err
    assert (plan.code, check.code) == (0, 10)
    assert (project.folder / "build/list.copy").read_text() == "one\n"
    assert project.console.run("build").code == 0
    assert (project.folder / "build/list.copy").read_text() == "two\n"
    assert project.console.run("build", "--check").code == 0


def test_a_target_named_from_its_folder_is_told_its_path_from_the_root(project: Project) -> None:
    said = project.console.run("build", "a.out")

    assert (said.code, "fix: did you mean build/a.out?" in said.err) == (4, True)
