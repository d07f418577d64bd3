"""Seed 001's tests that matter, on examples/impact: every row of its table, and W2-01 to W2-20 by name.

W2-01 (what changed is known exactly), W2-16 (inode and mtime) and more on building are in todo/.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator import build as building
from coordinator.request import Request
from shared import hashing
from shared.model.tests import TEST_RULE
from tests.fakes.quick_python import run_tests
from tests.scenarios.impact_project import ALL, CRITICAL, MODULES, TESTS, ImpactProject, todo

pytestmark = pytest.mark.xdist_group("impact")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> ImpactProject:
    """The 102 jobs, built once; nobody changes it."""
    project = ImpactProject(tmp_path_factory.mktemp("impact") / "tree")
    assert project.build().executed == ALL
    return project


@pytest.fixture
def space(origin: ImpactProject, tmp_path: Path) -> ImpactProject:
    """A copy of what was built, with its store."""
    shutil.copytree(origin.root, tmp_path / "tree")
    shutil.copytree(origin.cache, tmp_path / "tree-cache")
    return ImpactProject(tmp_path / "tree", written=True)


Change = Callable[[ImpactProject], None]


def edited(*names: str) -> Change:
    return lambda space: space.edit(*names)


ROWS = [
    pytest.param(lambda _space: None, 0, 0, 0, id="none-W2-06"),
    pytest.param(edited("README.md"), 0, 0, 0, id="README-W2-04"),
    pytest.param(edited("tests/test_leaf05.py"), 0, 1, 1, id="a-test-file-W2-05"),
    pytest.param(edited("leaf05"), 1, 1, 3, id="leaf05-W2-02"),
    pytest.param(edited("mid03"), 3, 3, 5, id="mid03-W2-02"),
    pytest.param(edited("core2"), 10, 11, 12, id="core2-W2-02"),
    pytest.param(edited(*(f"leaf{n:02d}" for n in range(5, 10))), 5, 5, 7, id="five-leaves-W2-07"),
    pytest.param(edited("mid03", "mid04", "leaf05", "leaf06", "leaf07"), 9, 9, 11, id="two-mids-three-leaves-W2-07"),
    pytest.param(edited("requirements.txt"), 50, 52, 52, id="requirements-W2-03"),
    pytest.param(lambda space: space.delete("src/todo/leaf05.py"), 0, 1, 3, id="leaf05-deleted-W2-08"),
]


@pytest.mark.parametrize(("change", "checks", "affected", "selected"), ROWS)
def test_a_change_runs_the_checks_and_tests_of_its_row(
    space: ImpactProject, change: Change, checks: int, affected: int, selected: int
) -> None:
    """affected: tests that reach the change by imports or configuration; selected: with the critical ones."""
    change(space)

    seen, selection = space.look()

    chosen = {choice.test for choice in selection.selected}
    by_critical = {choice.test for choice in selection.selected if choice.reason.endswith("and it is critical")}
    assert sum(job.startswith("check:") for job in seen.plan.jobs) == checks
    assert len(chosen) == selected
    assert len(chosen - by_critical) == affected
    assert by_critical <= CRITICAL
    assert len(selection.selected) + len(selection.skipped) == TESTS


@pytest.mark.parametrize(("change", "checks", "affected", "selected"), ROWS[3:6])
def test_what_is_planned_is_what_runs(
    space: ImpactProject, change: Change, checks: int, affected: int, selected: int
) -> None:
    """W2-02: and the next build has nothing to do."""
    change(space)

    report = space.build()

    assert (len(space.ran("check")), len(space.ran("test"))) == (checks, selected)
    assert (report.planned, report.executed) == (checks + selected, checks + selected)
    assert space.build().status == "no-changes"


def test_a_gitignore_counts_by_the_files_that_it_shows_or_hides(space: ImpactProject) -> None:
    """Not as configuration, which would run every test, nor as a file that any test may read."""
    space.write("notes/old.log", "0\n")
    before = len(space.look()[1].selected)
    space.edit(".gitignore", line="*.log\n")
    space.write("src/.gitignore", "# nothing\n")

    hidden = len(space.look()[1].selected)
    space.edit(".gitignore", line="leaf05.py\n")
    without = {choice.test for choice in space.look()[1].selected}

    assert (before, hidden) == (TESTS, 0)
    assert without == {"tests/test_leaf05.py", *CRITICAL}


def test_a_deleted_module_has_its_test_run_and_fail(space: ImpactProject) -> None:
    """W2-08: it takes nothing with it that others need."""
    space.delete("src/todo/leaf05.py")

    report = space.build(failures=0)

    assert (report.status, report.failed) == ("failed", 1)
    assert [failure.job for failure in report.failures] == ["test:tests/test_leaf05.py"]
    assert space.manifest().revision == 1


def test_a_module_deleted_with_its_test_leaves_nothing_and_is_green(space: ImpactProject) -> None:
    """W2-08: no check, two critical tests, outputs gone."""
    space.delete("src/todo/leaf05.py")
    space.delete("tests/test_leaf05.py")

    report = space.build()

    assert (report.status, report.executed, report.outputs_removed) == ("ok", 2, 2)
    assert (space.ran("check"), space.ran("test")) == (set(), {"test_flow", "test_cli"})
    assert not space.exists("build/check/leaf05.ok")
    assert not space.exists("build/test-results/tests/test_leaf05.py.json")


def test_a_second_project_takes_what_the_first_has_made(space: ImpactProject, tmp_path: Path) -> None:
    """W2-09: 70 of 102 hits in another project and folder; neither touches the other's manifest."""
    notes = ImpactProject(tmp_path / "notes", name="notes", cache=space.cache)
    before = space.manifest()

    report = notes.build()

    assert (report.planned, report.executed, report.reused) == (ALL, 32, {"local": 70})
    assert space.manifest() == before


def test_a_project_with_the_same_core_takes_that_and_outlives_the_other(space: ImpactProject, tmp_path: Path) -> None:
    """W2-10."""
    weather = ImpactProject(tmp_path / "weather", name="weather", cache=space.cache)

    report = weather.build()

    assert (report.executed, report.reused) == (ALL - 10, {"local": 10})
    shutil.rmtree(space.cache / "store/projects/todo")
    shutil.rmtree(space.root)
    shutil.rmtree(weather.root / "build")
    assert (weather.build().executed, len(weather.outputs())) == (0, ALL)


def test_a_full_rebuild_plans_everything_and_run_all_tests_runs_every_test(space: ImpactProject) -> None:
    """W2-11."""
    full, _ = space.look(full=True)
    report = space.build(all_tests=True)

    assert len(full.plan.jobs) == ALL
    assert (report.planned, report.executed, len(space.ran("test"))) == (TESTS, TESTS, TESTS)


def test_every_skipped_test_has_its_reason(space: ImpactProject) -> None:
    """W2-11."""
    space.edit("leaf05")

    _, selection = space.look()

    assert len(selection.skipped) == TESTS - 3
    assert {choice.reason for choice in selection.skipped} == {
        f"none of the {count} files it depends on changed" for count in (4, 5, 6)
    }
    by_test = {choice.test: choice for choice in selection.selected}
    assert by_test["tests/test_leaf05.py"].chain == ("tests/test_leaf05.py", "src/todo/leaf05.py")


def test_a_reason_shows_the_way_to_the_change(space: ImpactProject) -> None:
    """W2-11: through two steps."""
    space.edit("core0")

    _, selection = space.look()

    by_test = {choice.test: choice for choice in selection.selected}
    assert by_test["tests/test_leaf05.py"].chain == (
        "tests/test_leaf05.py",
        "src/todo/leaf05.py",
        "src/todo/mid05.py",
        "src/todo/core0.py",
    )


def test_documentation_alone_skips_everything_and_says_so(space: ImpactProject) -> None:
    """W2-04, C21: not even critical tests."""
    space.edit("README.md", "docs/usage.md")

    _, selection = space.look()

    assert {choice.reason for choice in selection.skipped} == {"only documentation changed"}


def test_twenty_builds_save_what_they_should(space: ImpactProject, tmp_path: Path) -> None:
    """W2-12 in jobs: 5 × nothing, 5 × a leaf, 5 × five files, 5 similar projects; the saving is of equal jobs here."""
    shares = []
    for round_ in range(5):
        shares.append((ALL, space.build().executed))
        space.edit("leaf05", line=f"# {round_}\n")
        shares.append((ALL, space.build().executed))
        space.edit("mid03", "mid04", "leaf05", "leaf06", "leaf07", line=f"# five {round_}\n")
        shares.append((ALL, space.build().executed))
        similar = ImpactProject(tmp_path / f"notes{round_}", name="notes", cache=space.cache)
        similar.edit(*(f"leaf{n:02d}" for n in range(15)), line=f"# {round_}\n")
        shares.append((ALL, similar.build().executed))

    saved = [1 - executed / all_ for all_, executed in shares]
    assert sum(saved) / len(saved) >= 0.60
    assert sum(saved[:10]) / 10 >= 0.80  # S1-18: hit rate over ten builds


def test_a_record_says_how_the_tests_came_out(space: ImpactProject) -> None:
    """W2-13: success, passed, total and command lie in the tree; the time, which differs, with the stored result."""
    record = json.loads(space.read("build/test-results/tests/test_leaf05.py.json"))
    entry = space.manifest().jobs["test:tests/test_leaf05.py"]
    hit = space.project().stores.results.get(entry.key)

    assert (record["success"], record["passed"], record["total"]) == (True, 1, 1)
    assert record["test_command"] == "python -m pytest tests/test_leaf05.py"
    assert hit is not None
    assert hit.result.timings.run == entry.seconds > 0


def test_a_passing_test_is_a_hit_and_a_failing_one_never(space: ImpactProject) -> None:
    """W2-13."""
    space.write("tests/test_leaf05.py", space.read("tests/test_leaf05.py").replace("value() ==", "value() !="))
    first = space.build(failures=0)
    second = space.build(failures=0)
    space.write("tests/test_leaf05.py", todo.files()["tests/test_leaf05.py"])
    mended = space.build()

    assert (first.failed, second.failed) == (1, 1)
    assert space.manifest().revision == 1
    assert mended.status == "no-changes"
    shutil.rmtree(space.root / "build")
    assert space.build(full=True).executed == 0


def test_every_test_that_a_fault_breaks_is_selected(space: ImpactProject) -> None:
    """W2-14: each of the 50 modules broken in turn; what fails is told by running all tests."""
    files = {path: space.read(path) for path in space.manifest().sources if path.endswith(".py")}
    tests = tuple(path for path in files if path.startswith("tests/"))
    modules = [path for path in files if path.startswith("src/")]

    for path in modules:
        text = files[path].replace("    return ", "    return 1 + ")
        space.write(path, text)
        _, selection = space.look()
        space.write(path, files[path])
        failing = {node.partition("::")[0] for node, error in run_tests({**files, path: text}, tests).items() if error}

        selected = {choice.test for choice in selection.selected}
        assert failing
        assert failing <= selected
        assert selected - failing <= CRITICAL  # and no more than a sound selection needs
    assert len(modules) == MODULES


def test_files_for_other_tools_agree_with_the_plan(space: ImpactProject) -> None:
    """W2-15, R30; they are no sources (U9)."""
    space.edit("core2")
    seen, _ = space.look()
    space.build()
    folder = space.root / ".context-foundry/cache"
    baseline, tests, plan = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("file-baseline", "test-map", "build-plan")
    )

    manifest = space.manifest()
    assert baseline["files"] == {path: hashing.bare(state.hash) for path, state in manifest.sources.items()}
    assert set(tests["files"]["src/todo/core2.py"]) == {
        test for test, files in tests["tests"].items() if "src/todo/core2.py" in files
    }
    assert len(tests["files"]["src/todo/core2.py"]) == 12
    made = {path for job in seen.plan.jobs for path in manifest.jobs[job].outputs}
    assert set(plan["files_to_rebuild"]) == made
    assert set(plan["files_to_preserve"]) == manifest.artefacts.keys() - made
    assert plan["estimated_time"] >= round(seen.plan.estimated_seconds, 3) > 0
    assert space.build().status == "no-changes"


def test_outputs_that_stay_keep_inode_and_mtime(space: ImpactProject) -> None:
    """W2-16."""
    before = {path: (space.root / path).stat() for path in space.manifest().artefacts}
    space.edit("mid03")

    space.build()

    kept = {
        path
        for path, status in before.items()
        if ((now := (space.root / path).stat()).st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    }
    assert len(kept) >= ALL - 8


def test_looking_at_the_tree_takes_less_than_a_tenth_of_a_second(space: ImpactProject) -> None:
    """W2-17: CPU time, so that a busy machine does not count; the best of three."""
    project = space.project()
    space.edit("leaf05")

    def took() -> float:
        began = time.process_time()
        building.survey(project, project.load_base(), Request().question)
        return time.process_time() - began

    assert min(took() for _ in range(3)) < 0.1


@pytest.mark.parametrize(
    "line",
    [
        "import importlib, os\nplugin = importlib.import_module(os.environ.get('PLUGIN', 'json'))\n",
        "import pkgutil\nfound = [one.name for one in pkgutil.iter_modules(['src/todo'])]\n",
    ],
    ids=["computed name", "enumerated"],
)
def test_who_imports_what_only_a_run_can_tell_depends_on_everything(space: ImpactProject, line: str) -> None:
    """W2-18: with a warning that names the place; `[tests] reads` says better."""
    space.edit("leaf05", line=line)
    seen, _ = space.look()
    assert any(warning.startswith("src/todo/leaf05.py:") and "1 of 52" in warning for warning in seen.warnings)
    space.build()
    space.edit("core2")

    _, selection = space.look()

    assert "tests/test_leaf05.py" in {choice.test for choice in selection.selected}
    space.write(
        "windrow.toml",
        space.read("windrow.toml").replace(
            "[tests]\n", '[tests]\nreads = { "src/todo/leaf05.py" = ["src/todo/leaf06.py"] }\n'
        ),
    )
    space.build()
    space.edit("core3")
    _, selection = space.look()
    assert "tests/test_leaf05.py" not in {choice.test for choice in selection.selected}


@pytest.mark.parametrize("damage", ["schema", "blob"])
def test_a_stored_result_that_does_not_fit_is_a_miss(space: ImpactProject, damage: str) -> None:
    """W2-19: of another schema version, or with a blob that is gone."""
    entry = space.manifest().jobs["test:tests/test_leaf05.py"]
    results = space.cache / "store/results"
    [stored] = [path for path in results.rglob("*") if path.name.startswith(hashing.bare(entry.key))]
    made = space.manifest().artefacts[entry.outputs[0]]
    if damage == "schema":
        data = stored.read_bytes()
        assert b"windrow.result/1" in data
        stored.write_bytes(data.replace(b"windrow.result/1", b"windrow.result/9"))
    else:
        [blob] = [path for path in (space.cache / "store/blobs").rglob("*") if hashing.bare(made.hash) in path.name]
        blob.unlink()
    shutil.rmtree(space.cache / "store/projects")
    space.wipe_state()
    shutil.rmtree(space.root / "build")

    report = space.build()

    # The blob of a check may be the very bytes of another's.
    assert report.status == "ok"
    assert "test_leaf05" in space.ran("test")
    assert report.executed < 5


def test_an_estimate_rests_on_what_jobs_took(space: ImpactProject) -> None:
    """W2-20 in form: the sum along the longest chain of what was recorded; `python -m benchmarks.impact twenty` holds it against the clock."""
    space.edit("core2")

    seen, _ = space.look()

    longest = max(space.manifest().jobs[job].seconds for job in seen.plan.jobs)
    assert longest <= seen.plan.estimated_seconds <= 2 * longest


def test_every_test_job_is_of_the_rule_that_stands_for_tests(space: ImpactProject) -> None:
    assert sum(entry.rule == TEST_RULE for entry in space.manifest().jobs.values()) == TESTS
