"""Which tests a change concerns, where tests are jobs like others."""

from __future__ import annotations

from pathlib import Path

from coordinator import build as building
from coordinator.request import Request
from tests.fakes.compiler import CompileError, evaluate
from tests.scenarios.todo.copies import ALL
from tests.scenarios.todo_project import TodoProject


def test_no_source_changed_means_no_test_runs(todo: TodoProject) -> None:
    """S1-41."""
    todo.edit("docs/usage.md")

    assert (todo.build().planned, todo.performed) == (0, [])


def test_a_deleted_source_runs_the_tests_that_covered_it(todo: TodoProject) -> None:
    """S1-41, C19, W2-08: leaf05 goes and its test stays; that must run, and fail."""
    todo.delete("src/leaf05.mod")

    report = todo.build()

    assert (report.status, report.planned, len(todo.ran("check"))) == ("failed", 1, 0)
    assert [(failure.job, failure.output) for failure in report.failures] == [
        ("test:out/test_leaf05.passed", "leaf05.mod: No such file")
    ]


def test_a_deleted_source_with_its_test_leaves_nothing_behind(todo: TodoProject) -> None:
    """W2-08, second half."""
    todo.delete("src/leaf05.mod")
    todo.delete("tests/test_leaf05.mod")

    report = todo.build()

    assert (report.status, report.executed, report.outputs_removed) == ("ok", 0, 2)
    assert not todo.exists("out/leaf05.ok")
    assert len(todo.manifest().jobs) == ALL - 2


def test_changed_test_files_run(todo: TodoProject) -> None:
    """S1-42."""
    todo.edit("tests/test_leaf05.mod")
    todo.test("new", "leaf07")

    todo.build()

    assert (todo.ran("check"), todo.ran("test")) == (set(), {"test_leaf05", "test_new"})


def test_tests_that_cover_a_changed_source_run(todo: TodoProject) -> None:
    """S1-43."""
    todo.edit("src/leaf01.mod")

    todo.build()

    assert todo.ran("test") == {"test_leaf01", "test_flow"}


def test_the_map_from_tests_to_sources_is_part_of_the_manifest(todo: TodoProject) -> None:
    """S1-45: every test with all it was seen to read, through any number of steps."""
    jobs = todo.manifest().jobs

    trace = jobs["test:out/test_flow.passed"].trace
    assert trace is not None
    assert {path for path in trace.used if path.startswith("src/")} == {
        "src/leaf00.mod",
        "src/leaf01.mod",
        "src/mid00.mod",
        "src/mid01.mod",
        "src/core0.mod",
        "src/core1.mod",
    }


def test_every_test_that_a_fault_breaks_is_among_those_that_run(origin: TodoProject) -> None:
    """S1-47, W2-14: each of the 50 modules is broken in turn; what fails is told by a plain run of all tests."""
    files = {path: origin.read(path) for path in origin.manifest().sources if path.endswith((".mod", ".txt"))}
    fault = "include no-such-module.mod\n"

    def failing(tree: dict[str, str]) -> set[str]:
        failed = set()
        for path in (path for path in tree if path.startswith("tests/")):
            try:
                evaluate(("toy-cc", "-Isrc", "-Iconfig", path), tree)
            except CompileError:
                failed.add(Path(path).stem)
        return failed

    for path in [path for path in files if path.startswith("src/")]:
        origin.write(path, files[path] + fault)
        try:
            plan = building.look(origin.project(), Request()).plan
        finally:
            origin.write(path, files[path])

        selected = {Path(job).stem for job in plan.jobs if job.startswith("test:")}
        broken = failing({**files, path: files[path] + fault})
        assert broken
        assert broken <= selected
