"""What changed is known exactly, whatever was edited; and which category a file falls into (S1-27 and on)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator import build as building
from coordinator.request import Request
from shared import hashing
from tests.console import powerless
from tests.fakes.workspace import Workspace
from tests.scenarios.todo.copies import ALL, CopyProject
from tests.scenarios.todo_project import TodoProject


def test_the_baseline_is_the_committed_manifest(copies: CopyProject) -> None:
    """S1-27: `create_baseline()` is a build; every file with its digest, and the state of nobody else's making."""
    manifest = copies.manifest()

    assert {path: state.hash for path, state in manifest.sources.items()} == {
        path: hashing.of_file(copies.root / path)[0] for path in copies.tree() if not path.startswith("out/")
    }


def test_changes_are_added_modified_deleted_and_the_rest_unchanged(copies: CopyProject) -> None:
    """S1-28, S1-33; a deleted file counts once, and Windrow's own state not at all (U9)."""
    copies.write("src/f.txt", "f\n")
    copies.write("src/a.txt", "other\n")
    copies.delete("src/b.txt")

    changes = copies.look().changes

    assert (changes.added, changes.modified, changes.deleted) == (("src/f.txt",), ("src/a.txt",), ("src/b.txt",))
    assert (changes.missing, changes.altered, changes.touched) == ((), (), ())


def test_an_edit_that_git_knows_nothing_of_is_a_change(copies: CopyProject) -> None:
    """U8: git's commits have no say."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=all"]):
        subprocess.run([*git, *words], cwd=copies.root, check=True)
    copies.write("src/a.txt", "not committed\n")

    assert copies.look().changes.modified == ("src/a.txt",)


EDITS = ("write", "same-size", "delete", "rename", "touch", "chmod", "link", "replace")
Script = list[tuple[str, str, str]]


def scripts(*kinds: str) -> st.SearchStrategy[list[Script]]:
    """Up to three rounds of up to five edits of these kinds."""
    edit = st.tuples(
        st.sampled_from(kinds),
        st.sampled_from(["a", "b", "c", "deep/d", "deep/e"]),
        st.sampled_from(["a", "b", "deep/f", "g"]),
    )
    return st.lists(st.lists(edit, max_size=5), min_size=1, max_size=3)


class Edits:
    """A tree without rules, and what any edit does to it."""

    def __init__(self, root: Path) -> None:
        self.space = Workspace(root)
        self.space.write("windrow.toml", '[project]\nname = "edits"\n')
        for name in ("a", "b", "c", "deep/d", "deep/e"):
            self.space.write(f"tree/{name}", f"{name}\n")
        self.space.build()

    def apply(self, what: str, one: str, two: str) -> None:
        path, other = self.space.root / "tree" / one, self.space.root / "tree" / two
        if what == "commit":
            self._commit()
        elif not os.path.lexists(path) or what == "write":
            path.unlink(missing_ok=True)
            self.space.write(f"tree/{one}", f"written for {two}\n")
        elif what == "same-size" and path.is_file():
            self._keeping_times(path, bytes(reversed(path.read_bytes())))
        elif what == "replace" and path.is_file():
            data = path.read_bytes()
            path.unlink()
            path.write_bytes(data)
        elif what == "delete":
            path.unlink()
        elif what == "rename":
            other.parent.mkdir(exist_ok=True)
            path.replace(other)
        elif what == "touch" and not path.is_symlink():
            os.utime(path)
        elif what == "chmod" and not path.is_symlink():
            path.chmod(path.stat().st_mode ^ 0o100)
        elif what == "link":
            path.unlink()
            path.symlink_to(two)

    def _commit(self) -> None:
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--allow-empty", "--message=all"]):
            subprocess.run([*git, *words], cwd=self.space.root, check=True)

    def _keeping_times(self, path: Path, data: bytes) -> None:
        """Write so many bytes as there were, and put the mtime back."""
        before = path.stat()
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def truth(self) -> dict[str, tuple[str, bytes]]:
        """Every file by kind and content."""
        found: dict[str, tuple[str, bytes]] = {}
        for path in (self.space.root / "tree").rglob("*"):
            name = path.relative_to(self.space.root).as_posix()
            if path.is_symlink():
                found[name] = ("link", os.readlink(path).encode())
            elif path.is_file():
                found[name] = ("exec" if path.stat().st_mode & 0o100 else "file", path.read_bytes())
        return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=scripts(*EDITS))
def test_what_changed_is_known_exactly(tmp_path_factory: pytest.TempPathFactory, rounds: list[Script]) -> None:
    """S1-09, W2-01: against a plain comparison of every byte, after edits that mean to go unnoticed."""
    known_exactly(Edits(tmp_path_factory.mktemp("edits") / "tree"), rounds)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=scripts(*EDITS, "commit"))
def test_what_changed_is_known_exactly_after_500_scripts(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[Script]
) -> None:
    """W2-01, all of it: with commits to git between."""
    known_exactly(Edits(tmp_path_factory.mktemp("edits") / "tree"), rounds)


def known_exactly(edits: Edits, rounds: list[Script]) -> None:
    """What a survey finds after each round is what differs."""
    for script in rounds:
        before = edits.truth()
        for step in script:
            edits.apply(*step)
        after = edits.truth()

        changes = building.look(edits.space.project(), Request()).changes
        edits.space.build()

        assert set(changes.added) == after.keys() - before.keys()
        assert set(changes.deleted) == before.keys() - after.keys()
        assert set(changes.modified) == {path for path in after.keys() & before.keys() if after[path] != before[path]}


def test_a_file_that_cannot_be_read_is_an_error_and_not_unchanged(copies: CopyProject) -> None:
    """U12: and nothing is built on half of the truth."""
    before = copies.stored()
    (copies.root / "src/a.txt").chmod(0)

    said = copies.console.run("build", before=powerless())
    as_json = copies.console.run("build", "--json", before=powerless())

    assert said.code == as_json.code == 36
    assert "error[W3604]: cannot read src/a.txt" in said.err
    assert as_json.json()["error"]["at"] == "src/a.txt"
    assert copies.stored() == before


@pytest.mark.parametrize(
    ("category", "paths"),
    [
        pytest.param("source", ["app.js", "lib/a.ts", "b.py", "src/C.java"], id="S1-29"),
        pytest.param("config", ["package.json", "requirements.txt", "sub/package.json", "pyproject.toml"], id="S1-30"),
        pytest.param("docs", ["README.md", "docs/guide/start.html", "notes.md"], id="S1-31"),
        pytest.param("tests", ["tests/any.py", "a.test.js", "b.spec.ts", "test_c.py"], id="S1-32"),
    ],
)
def test_files_fall_into_categories(tmp_path: Path, category: str, paths: list[str]) -> None:
    """S1-29 to S1-32."""
    space = Workspace(tmp_path / "tree")
    space.write("windrow.toml", '[project]\nname = "kinds"\n')
    for path in paths:
        space.write(path, "text\n")
    space.build()

    assert {path: space.manifest().sources[path].category for path in paths} == dict.fromkeys(paths, category)


def test_a_configuration_file_is_an_input_of_the_jobs_that_declare_it(todo: TodoProject) -> None:
    """S1-30, C20: all of them here."""
    todo.edit("config/requirements.txt")

    assert todo.build().planned == ALL


def test_configuration_that_no_job_takes_costs_nothing(todo: TodoProject) -> None:
    """S1-39, C20: a revision records it."""
    todo.write("package.json", "{}\n")

    report = todo.build()

    assert (report.planned, report.executed, report.revision) == (0, 0, 2)
