"""The integration scenarios S1-55 to S1-62: whole edits of a project, and projects that share a store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.model.manifest import Manifest
from tests.scenarios.todo.copies import ALL, CopyProject
from tests.scenarios.todo_project import HEAD, LEAVES, MODULES, TESTS, TodoProject


def check_row(todo: TodoProject, edit: Callable[[TodoProject], None], checks: int, tests: int) -> Manifest:
    edit(todo)
    report = todo.build()

    assert (len(todo.ran("check")), len(todo.ran("test"))) == (checks, tests)
    assert report.planned == report.executed == checks + tests
    return todo.manifest()


def edited(*names: str) -> Callable[[TodoProject], None]:
    def edit(todo: TodoProject) -> None:
        for name in names:
            todo.edit(f"src/{name}.mod")

    return edit


@pytest.mark.parametrize(
    ("name", "checks", "tests"),
    [("leaf05", 1, 1), ("mid03", 3, 3), ("core2", 10, 11)],
    ids=["leaf05", "mid03", "core2"],
)
def test_integration_1_one_file_changed_only_its_dependents_rebuild(
    todo: TodoProject, name: str, checks: int, tests: int
) -> None:
    """S1-55, W2-02; of 50 and 52."""
    check_row(todo, edited(name), checks, tests)


@pytest.mark.parametrize(
    ("names", "checks", "tests"),
    [
        (("leaf05", "leaf06", "leaf07", "leaf08", "leaf09"), 5, 5),
        (("mid03", "mid04", "leaf05", "leaf06", "leaf07"), 9, 9),
    ],
    ids=["5 leaves", "2 mids and 3 leaves"],
)
def test_integration_2_five_files_changed_the_right_set_rebuilds(
    todo: TodoProject, names: tuple[str, ...], checks: int, tests: int
) -> None:
    """S1-56, S1-38, W2-07: 90 % and 82 % of the checks are kept."""
    check_row(todo, edited(*names), checks, tests)


def test_integration_3_the_configuration_changed_everything_rebuilds(todo: TodoProject) -> None:
    """S1-57, W2-03."""
    check_row(todo, lambda todo: todo.edit("config/requirements.txt"), MODULES, TESTS)


def test_integration_4_the_readme_changed_no_code_and_no_test_runs(todo: TodoProject) -> None:
    """S1-58, S1-15, W2-04: a revision records it, no job is started."""
    manifest = check_row(todo, lambda todo: todo.edit("README.md"), 0, 0)

    assert (manifest.revision, manifest.base_revision) == (2, 1)
    assert todo.toy is None


def test_integration_5_a_test_file_changed_only_that_test_runs(todo: TodoProject) -> None:
    """S1-59, W2-05."""
    check_row(todo, lambda todo: todo.edit("tests/test_leaf05.mod"), 0, 1)


def test_integration_6_nothing_changed_everything_is_skipped(copies: CopyProject) -> None:
    """S1-60, S1-17, W2-06: all of it, not 95 %."""
    said = copies.console.run("build", "--json")

    report = said.json()
    assert (report["status"], report["planned"], report["executed"], report["revision"]) == ("no-changes", 0, 0, None)
    assert copies.console.run("build").out.startswith("No changes detected")


def test_integration_7_a_second_project_takes_what_the_first_has_made(todo: TodoProject, tmp_path: Path) -> None:
    """S1-61, W2-09: another project in another folder, half of its leaves rewritten: 70 of 102 are hits."""
    notes = TodoProject(tmp_path / "notes", name="notes", cache=todo.cache)
    for number in range(LEAVES // 2):
        notes.edit(f"src/leaf{number:02d}.mod", "for notes\n")
    before = todo.manifest()

    report = notes.build()

    assert (report.planned, report.executed, report.reused) == (ALL, 32, {"local": 70})
    assert todo.manifest() == before
    assert notes.manifest().revision == 1


def test_integration_8_a_project_that_shares_the_core_takes_that(todo: TodoProject, tmp_path: Path) -> None:
    """S1-62, W2-10: 5 modules and their tests."""
    weather = TodoProject(tmp_path / "weather", name="weather", cache=todo.cache)
    for path in [*(weather.root / "src").glob("*"), *(weather.root / "tests").glob("*")]:
        if "core" not in path.name:
            path.write_text(HEAD + "weather\n" + path.read_text().removeprefix(HEAD))

    report = weather.build()

    assert report.reused == {"local": 10}
    assert report.executed == ALL - 10


def test_a_project_may_go_without_another_noticing(todo: TodoProject, tmp_path: Path) -> None:
    """W2-10, last sentence."""
    notes = TodoProject(tmp_path / "notes", name="notes", cache=todo.cache)
    notes.build()
    shutil.rmtree(todo.cache / "store/projects/todo")
    shutil.rmtree(todo.root)

    assert notes.build().status == "no-changes"
    shutil.rmtree(notes.root / "out")
    assert (notes.build().executed, len(notes.outputs())) == (0, ALL)
