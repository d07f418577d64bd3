"""Seed 001 as far as a build without tests of its own goes: S1-27 to S1-53, and its integration scenarios S1-55 to S1-62.

`ChangeDetector` is scan and diff against the committed manifest, `IncrementalBuilder` the planner and the scheduler,
the test map what jobs were seen to read. Selecting tests by impact here is nothing but building what is out of date.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator import build as building
from coordinator.request import Request
from shared import hashing
from shared.model.manifest import Manifest
from tests.console import powerless
from tests.fakes.compiler import CompileError, evaluate
from tests.fakes.workspace import Workspace
from tests.scenarios.real_workspace import RealWorkspace
from tests.scenarios.todo_project import HEAD, LEAVES, MODULES, TESTS, TodoProject

ALL = MODULES + TESTS


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> TodoProject:
    """The 102 jobs, built once; nobody changes it."""
    project = TodoProject(tmp_path_factory.mktemp("origin") / "tree")
    assert project.build().executed == ALL
    return project


@pytest.fixture
def todo(origin: TodoProject, tmp_path: Path) -> TodoProject:
    """A copy of what was built, with its store."""
    shutil.copytree(origin.root, tmp_path / "tree")
    shutil.copytree(origin.cache, tmp_path / "tree-cache")
    project = TodoProject.__new__(TodoProject)
    Workspace.__init__(project, tmp_path / "tree")
    return project


class CopyProject(RealWorkspace):
    """Every text file is copied by a real command; so is the configuration, and the README is read by nobody."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write(
            "windrow.toml",
            '[project]\nname = "copies"\n\n[[rule]]\nname = "copy"\neach = "src/*.txt"\ninputs = ["requirements.txt"]\n'
            'command = "cat requirements.txt {in} > {out}"\noutputs = ["out/{stem}"]\n',
        )
        self.write("requirements.txt", "one==1\n")
        self.write("README.md", "# Copies\n")
        for name in "abcde":
            self.write(f"src/{name}.txt", f"{name}\n")


@pytest.fixture
def copies(tmp_path: Path) -> CopyProject:
    """Built, with real commands."""
    project = CopyProject(tmp_path / "tree")
    assert project.build().executed == 5
    return project


# -- change detection -----------------------------------------------------------------------------------


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


# -- categories -----------------------------------------------------------------------------------------


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


# -- incremental building -------------------------------------------------------------------------------


def test_everything_can_still_be_rebuilt(todo: TodoProject) -> None:
    """S1-34: as an explicit mode; --full alone takes what fits from the cache (S1-67)."""
    full = todo.build(full=True)
    again = todo.build(full=True, no_cache=True)

    assert (full.planned, full.executed) == (ALL, 0)
    assert (again.planned, again.executed) == (ALL, ALL)


def test_the_plan_tells_what_is_rebuilt_what_is_preserved_and_how_long_it_takes(copies: CopyProject) -> None:
    """S1-35: BuildPlan{files_to_rebuild, files_to_preserve, estimated_time}, at the command line."""
    copies.write("src/a.txt", "other\n")

    plan = copies.console.run("plan", "--json").json()

    assert [job["outputs"] for layer in plan["layers"] for job in layer] == [["out/a"]]
    assert plan["preserved"] == [f"copy:out/{name}" for name in "bcde"]
    assert plan["estimated_seconds"] > 0


def test_what_is_preserved_is_counted_and_the_rest_rebuilt(copies: CopyProject) -> None:
    """S1-36."""
    copies.write("src/a.txt", "other\n")

    said = copies.console.run("build")

    assert "1 to run in 1 layer · 4 unchanged" in said.err
    assert copies.read("out/a") == "one==1\nother\n"


@pytest.mark.parametrize("change", ["modified", "added", "deleted"])
def test_dependents_are_affected_however_far_away(todo: TodoProject, change: str) -> None:
    """S1-37, C18, C19: through two steps, and by a file that goes or comes as well."""
    dependents = {"mid02", "mid07", "mid12", "leaf02", "leaf07", "leaf12", "leaf17", "leaf22", "leaf27"}
    if change == "modified":
        todo.edit("src/core2.mod")
        dependents |= {"core2"}
    elif change == "deleted":
        todo.delete("src/core2.mod")
    else:
        # It is found before the other from now on.
        todo.write("first/core2.mod", "another\n")

    plan = building.look(todo.project(), Request()).plan

    assert {Path(job).stem for job in plan.jobs if job.startswith("check:")} == dependents


def test_preserved_outputs_keep_inode_and_mtime(copies: CopyProject) -> None:
    """S1-40, W2-16: what nobody had to rebuild is not written again."""
    before = {name: (copies.root / "out" / name).stat() for name in "abcde"}
    copies.write("src/a.txt", "other\n")

    copies.build()

    after = {name: (copies.root / "out" / name).stat() for name in "abcde"}
    same = {n for n in "abcde" if (before[n].st_ino, before[n].st_mtime_ns) == (after[n].st_ino, after[n].st_mtime_ns)}
    assert same == set("bcde")


def test_an_output_that_comes_out_equal_keeps_inode_and_mtime_too(copies: CopyProject) -> None:
    """S1-40: the job ran, and nothing came of it."""
    copies.write("windrow.toml", copies.read("windrow.toml").replace("cat requirements", "cat  requirements"))
    before = (copies.root / "out/a").stat()

    report = copies.build()

    after = (copies.root / "out/a").stat()
    assert (report.executed, report.outputs_written) == (5, 0)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_jobs_run_after_those_they_need(todo: TodoProject) -> None:
    """U10: dependencies first; and planning, test files included, comes before anything runs (S1-53)."""
    text = todo.read("windrow.toml")
    todo.write(
        "windrow.toml",
        text
        + '\n[[rule]]\nname = "all"\ninputs = ["rule:check"]\ncommand = ["toy-cat", "{in}"]\noutputs = ["out/all"]\n',
    )
    todo.edit("src/core2.mod")

    todo.build()

    what = [how for how, _ in todo.observer.order]
    ran = [job for how, job in todo.observer.order if how == "executed"]
    assert what[0] == "planned"
    assert ran.index("all:out/all") > max(ran.index(job) for job in ran if job.startswith("check:"))


# -- which tests a change concerns ----------------------------------------------------------------------


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


# -- results ----------------------------------------------------------------------------------------------


def test_a_result_that_cannot_be_kept_changes_nothing_but_the_next_build(copies: CopyProject) -> None:
    """S1-48, W2-13: a warning that names the place, and the same outcome."""
    shutil.rmtree(copies.cache / "store/results")
    (copies.cache / "store/results").mkdir(mode=0o555)
    copies.write("src/a.txt", "other\n")

    said = copies.console.run("build", before=powerless())

    assert said.code == 0
    assert "warning: copy:out/a: its result is not kept for later builds" in said.err
    assert str(copies.cache / "store/results") in said.err
    assert copies.read("out/a") == "one==1\nother\n"
    assert copies.manifest().revision == 2


def test_what_a_result_records(copies: CopyProject) -> None:
    """S1-50 in the spine's words: exit code 0 by being there, its outputs, the time it took, who ran it."""
    job = copies.manifest().jobs["copy:out/a"]

    hit = copies.project().stores.results.get(job.key)

    assert hit is not None
    assert [(made.path, made.hash) for made in hit.result.outputs] == [("out/a", hashing.of_bytes(b"one==1\na\n"))]
    assert hit.result.timings.run == job.seconds > 0
    assert hit.result.worker == "here"


def test_a_failure_is_never_taken_from_the_cache(copies: CopyProject) -> None:
    """W2-13: neither is it forgotten; the plan says that it failed before."""
    text = copies.read("windrow.toml")
    copies.write("windrow.toml", text.replace('command = "', 'command = "grep -v broken {in} > /dev/null && '))
    copies.write("src/a.txt", "broken\n")
    first = copies.build(failures=0)

    second = copies.build(failures=0)
    why = copies.console.run("why", "out/a")

    assert (first.failed, second.failed, second.executed, second.reused) == (1, 1, 0, {"local": 4})
    assert f"failed in build {second.build}" in why.out


# -- integration ----------------------------------------------------------------------------------------


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
