"""windrow test and affected with a real pytest: a few modules of examples/impact, as a person runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.console import ended, powerless
from tests.scenarios.impact_project import RealImpact, todo

pytestmark = pytest.mark.xdist_group("windrow-test")
LEAF, MID, CORE = ("tests/test_leaf00.py", "tests/test_mid00.py", "tests/test_core0.py")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> RealImpact:
    """Three modules, checked and tested."""
    space = RealImpact(tmp_path_factory.mktemp("real") / "tree")
    space.small(("core0", "mid00", "leaf00"))
    said = space.console.run("test")
    assert (said.code, said.out) == (0, "3 of 3 test files: 3 passed, 0 failed\n")
    return space


@pytest.fixture
def space(origin: RealImpact, tmp_path: Path) -> RealImpact:
    shutil.copytree(origin.root, tmp_path / "tree")
    shutil.copytree(origin.cache, tmp_path / "tree-cache")
    return RealImpact(tmp_path / "tree")


def selected(space: RealImpact) -> dict[str, str]:
    said = space.console.run("test", "--dry-run", "--json").json()
    return {choice["test"]: choice["reason"] for choice in said["selected"]}


def git(space: RealImpact, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=space.root,
        check=True,
        capture_output=True,
    )


def test_a_rerun_runs_nothing_and_tells_every_result_all_the_same(space: RealImpact) -> None:
    """W2-06, W2-13: success, passed, total, duration and command of each file."""
    said = space.console.run("test", "--json", "--junit", "build/report.xml").json()

    assert (said["status"], said["executed"]) == ("no-changes", 0)
    for told in said["tests"]:
        assert (told["how"], told["success"], told["passed"], told["total"]) == ("skipped", True, 1, 1)
        assert told["duration"] > 0
        assert told["test_command"] == f"python -m pytest {told['test']}"
    suites = ET.parse(space.root / "build/report.xml").findall("testsuite")
    assert [(suite.get("name"), suite.get("tests")) for suite in suites] == [(CORE, "1"), (LEAF, "1"), (MID, "1")]
    assert all(float(case.get("time", "0")) > 0 for suite in suites for case in suite.iter("testcase"))
    assert space.console.run("test").out.splitlines()[-1] == (
        "0 of 3 test files: 0 passed, 0 failed; 3 files skipped: nothing they depend on changed"
    )


def test_a_failing_test_exits_3_keeps_the_revision_and_is_run_again(space: RealImpact) -> None:
    """W2-13; the other tests run all the same."""
    space.edit("core0", line="\n\ndef value():\n    return 0\n")

    first = space.console.run("test", "--json", "--junit", "build/report.xml")
    again = space.console.run("build", "-k")

    told = {one["test"]: one for one in first.json()["tests"]}
    assert first.code == again.code == 3
    assert {one["how"] for one in told.values()} == {"failed"}
    assert told[LEAF]["tests"] == {f"{LEAF}::test_value": "failed"}
    assert "assert 0 == " in (space.root / "build/report.xml").read_text()
    assert "python3 -m pytest tests/test_leaf00.py" in again.err
    assert "tests failed" in again.err
    assert space.manifest().revision == 1


def test_without_a_gate_failures_are_told_and_the_rest_is_committed(space: RealImpact) -> None:
    """C47."""
    space.write("windrow.toml", space.read("windrow.toml").replace("[tests]\n", "[tests]\ngate = false\n"))
    space.write(LEAF, "def test_value():\n    assert 0\n")

    said = space.console.run("build")

    assert said.code == 3
    manifest = space.manifest()
    assert manifest.revision == 2
    assert f"test:{LEAF}" not in manifest.jobs
    assert f"test:{MID}" in manifest.jobs
    assert set(selected(space)) == {LEAF}


def test_data_conftest_and_environment_count(space: RealImpact) -> None:
    """What line coverage does not see; a data file runs all tests until somebody says whose it is."""
    toml = space.read("windrow.toml")
    space.write("windrow.toml", toml.replace("[tests]\n", '[tests]\npass_env = ["MODE"]\n'))
    space.write("tests/cases.txt", "1\n")
    space.write(
        LEAF,
        "from pathlib import Path\n\n\ndef test_cases(one):\n    assert int(Path('tests/cases.txt').read_text()) == one\n",
    )
    space.write("tests/conftest.py", "import pytest\n\n\n@pytest.fixture\ndef one():\n    return 1\n")
    assert space.console.run("test", "-q").code == 0

    space.write("tests/cases.txt", "2\n")
    assert set(selected(space)) == {CORE, MID, LEAF}
    space.write(
        "windrow.toml",
        space.read("windrow.toml").replace(
            "[tests]\n", '[tests]\nreads = { "tests/test_leaf00.py" = ["tests/cases.txt"] }\n'
        ),
    )
    said = space.console.run("test", "-q", "--json")
    assert (said.code, [one["test"] for one in said.json()["tests"] if one["how"] == "failed"]) == (3, [LEAF])
    space.write("tests/cases.txt", "1\n")
    assert space.console.run("test", "-q").code == 0
    space.write("tests/cases.txt", "3\n")
    assert selected(space) == {LEAF: "tests/cases.txt changed"}
    space.write("tests/cases.txt", "1\n")

    space.edit("tests/conftest.py")
    assert set(selected(space)) == {CORE, MID, LEAF}
    said = space.console.run("test", "--dry-run", "--json", env={"MODE": "other"})
    assert len(said.json()["selected"]) == 3


def test_what_a_test_needs_and_nobody_could_see_is_given_to_it_and_counts_from_then_on(space: RealImpact) -> None:
    """A name that is put together, for a file of another test: it is not there, the run says so and is repeated."""
    space.write(LEAF, "def test_it():\n    assert open('tests/' + 'test_' + 'mid00' + '.py').read()\n")

    said = space.console.run("test", "-q")
    space.edit(MID)

    assert (said.code, f"repeated with {MID}, which its rule does not name" in said.err) == (0, True)
    assert selected(space) == {LEAF: f"{MID} changed", MID: f"{MID} changed"}


def test_a_module_that_is_hidden_from_the_imports_fails_the_test_that_needs_it(space: RealImpact) -> None:
    """It cannot pass with what would not be noticed when it changes."""
    space.write(LEAF, "def test_it():\n    exec('im' + 'port todo.mid00')\n")

    said = space.console.run("test", "-q")

    assert said.code == 3
    assert "ModuleNotFoundError: No module named 'todo'" in said.err


HIDDEN = "def test_it():\n    scope = {}\n    exec('im' + 'port todo.mid00', scope)\n    assert scope['todo'].mid00.value()\n"


def test_what_a_test_was_seen_to_execute_counts_beside_what_it_imports(space: RealImpact) -> None:
    """Coverage of real runs: a module that no import shows, and what that imports; both ways in one file of the tree."""
    space.write(
        "windrow.toml", space.read("windrow.toml").replace("[tests]\n", '[tests]\ncoverage = "tests/seen.json"\n')
    )
    space.write(LEAF, HIDDEN)
    hidden = space.console.run("test", "-q")

    recorded = space.console.run("test", "--record-coverage")

    assert hidden.code == 3  # it is given only what it is known to need
    assert (recorded.code, recorded.out) == (
        0,
        "3 test files recorded in tests/seen.json; 2 files that no import leads to\n",
    )
    seen = json.loads(space.read("tests/seen.json"))
    assert seen["schema"] == "windrow.test-coverage/1"
    assert seen["tests"][LEAF] == ["src/todo/core0.py", "src/todo/mid00.py", LEAF]
    assert seen["tests"][CORE] == ["src/todo/core0.py", CORE]
    assert not (space.root / "build/test-results/tests/test_leaf00.py.json.coverage").exists()
    assert space.console.run("test").out.startswith("1 of 3 test files: 1 passed, 0 failed; 2 files skipped")
    space.edit("mid00")
    told = {one["test"]: one for one in space.console.run("test", "--dry-run", "--json").json()["selected"]}
    assert told[LEAF]["reason"] == "src/todo/mid00.py changed, and it ran when coverage was recorded"
    space.write("src/todo/mid00.py", "from todo.leaf00 import value\n")
    space.console.run("test", "-q")
    space.edit("leaf00")
    assert LEAF in selected(space)  # what it executed imports something else by now


def test_a_recording_follows_programs_that_tests_start_and_keeps_what_it_knew_of_the_others(space: RealImpact) -> None:
    """One file is recorded anew, one fails and keeps what was known of it, one is gone."""
    space.write(
        "windrow.toml", space.read("windrow.toml").replace("[tests]\n", '[tests]\ncoverage = "tests/seen.json"\n')
    )
    old = {LEAF: ["src/todo/leaf00.py"], MID: ["src/todo/core0.py"], "tests/test_gone.py": ["src/todo/core0.py"]}
    space.write("tests/seen.json", json.dumps({"schema": "windrow.test-coverage/1", "tests": old}))
    code = "import subprocess\nimport sys\n\n\ndef test_it(tmp_path):\n"
    code += "    subprocess.run([sys.executable, '-c', 'im' 'port todo.' + 'mid00'], check=True, cwd=tmp_path)\n"
    space.write(LEAF, code)
    space.write(MID, "def test_it():\n    assert 0\n")

    said = space.console.run("test", "--record-coverage", LEAF, MID)

    assert said.code == 3
    assert "1 test file recorded" in said.out
    tests = json.loads(space.read("tests/seen.json"))["tests"]
    assert tests == {LEAF: ["src/todo/core0.py", "src/todo/mid00.py", LEAF], MID: ["src/todo/core0.py"]}
    assert space.manifest().revision == 1
    assert space.console.run("test", "-q", LEAF).code == 0


@pytest.mark.parametrize(
    ("data", "error"),
    [("", "is no recording of coverage"), ('{"tests": {}, "schema": "x/9"}', "has the schema x/9")],
)
def test_a_recording_that_is_none_is_an_error_that_names_it(space: RealImpact, data: str, error: str) -> None:
    space.write(
        "windrow.toml", space.read("windrow.toml").replace("[tests]\n", '[tests]\ncoverage = "tests/seen.json"\n')
    )
    space.write("tests/seen.json", data)

    said = space.console.run("test")

    assert (said.code, f"tests/seen.json {error}" in said.err, "Traceback" in said.err) == (2, True, False)


def test_explain_shows_what_a_test_depends_on_and_which_tests_on_a_file(space: RealImpact) -> None:
    """W2-11, S1-89: both directions, with the way by imports; a name is enough where it is one."""
    of_core = space.console.run("test", "--explain", "core0", "--json").json()
    of_test = space.console.run("test", "--explain", LEAF).out.splitlines()
    space.write("windrow.toml", space.read("windrow.toml").replace("tests/test_flow.py", CORE))
    of_leaf = space.console.run("test", "--explain", "src/todo/leaf00.py").out.splitlines()
    nobody = space.console.run("test", "--explain", "no-such")
    space.write("docs/core0.py", "")
    several = space.console.run("test", "--explain", "core0")

    assert of_core["file"] == "src/todo/core0.py"
    assert {one["test"]: one["chain"] for one in of_core["ties"]} == {
        CORE: [CORE, "src/todo/core0.py"],
        MID: [MID, "src/todo/mid00.py", "src/todo/core0.py"],
        LEAF: [LEAF, "src/todo/leaf00.py", "src/todo/mid00.py", "src/todo/core0.py"],
    }
    assert of_test[0] == f"{LEAF} depends on {len(of_test) - 1} files"
    assert f"  src/todo/mid00.py  imports: {LEAF} → src/todo/leaf00.py → src/todo/mid00.py" in of_test
    assert "  requirements.txt  configuration: it is configuration" in of_test
    assert of_leaf[0] == "2 test files may come out otherwise when src/todo/leaf00.py changes"
    assert f"  {CORE}  critical: it is critical" in of_leaf
    assert (nobody.code, "no test depends on a file 'no-such'" in nobody.err) == (4, True)
    assert (several.code, "2 files are called 'core0'" in several.err) == (4, True)


def test_without_a_file_for_it_nothing_is_recorded(space: RealImpact) -> None:
    said = space.console.run("test", "--record-coverage")

    assert (said.code, 'fix: [tests] coverage = "' in said.err) == (2, True)


def test_code_that_tests_start_in_another_process_finds_its_modules(space: RealImpact) -> None:
    space.write(
        LEAF,
        "import subprocess\nimport sys\n\n\ndef test_it(tmp_path):\n"
        "    code = 'from todo.mid00 import value; print(value())'\n"
        "    assert subprocess.run([sys.executable, '-c', code], capture_output=True, check=True, cwd=tmp_path).stdout\n",
    )

    assert space.console.run("test", "-q").code == 0
    space.edit("core0")
    assert LEAF in selected(space)


def test_affected_compares_content_whatever_git_has_been_told(space: RealImpact) -> None:
    """U8: edits that are not committed, files that git does not know, and files that are gone count."""
    git(space, "init", "--quiet")
    git(space, "add", ".")
    git(space, "commit", "--quiet", "--message=all")
    git(space, "tag", "start")
    nothing = space.console.run("affected", "--since", "start", "--json").json()
    space.edit("mid00")
    git(space, "commit", "--quiet", "--all", "--message=mid")
    space.edit("leaf00")
    space.write("tests/test_new.py", "from todo.core0 import value\n\n\ndef test_new():\n    assert value()\n")
    space.delete(CORE)

    said = space.console.run("affected", "--since", "start", "--json").json()
    paths = space.console.run("affected", "--since", "start", "--paths").out.splitlines()
    since_head = space.console.run("affected", "--since", "HEAD", "--json").json()

    assert nothing["tests"]["selected"] == nothing["jobs"] == []
    assert said["changes"] == {
        "added": ["tests/test_new.py"],
        "modified": ["src/todo/leaf00.py", "src/todo/mid00.py"],
        "deleted": [CORE],
    }
    assert paths == [LEAF, MID, "tests/test_new.py"]
    assert [job["job"] for job in said["jobs"]] == ["check:build/check/leaf00.ok", "check:build/check/mid00.ok"]
    assert [one["test"] for one in since_head["tests"]["selected"]] == [LEAF, "tests/test_new.py"]
    revision = space.console.run("affected", "--since", "rev-0001", "--paths").out.splitlines()
    assert revision == paths
    wrong = space.console.run("affected", "--since", "no-such-tag")
    assert (wrong.code, "error[W0401]: no revision and no git commit 'no-such-tag'" in wrong.err) == (4, True)


def test_affected_explains_by_what_a_test_file_is_and_what_a_file_affects(space: RealImpact) -> None:
    """S1-68: only what differs, also what is gone."""
    space.edit("mid00")
    space.delete("src/todo/leaf00.py")

    leaf = space.console.run("affected", "--since", "rev-0001", "--explain", "test_leaf00").out
    gone = space.console.run("affected", "--since", "rev-0001", "--explain", "src/todo/leaf00.py", "--json").json()
    core = space.console.run("affected", "--since", "rev-0001", "--explain", CORE).out
    wrong = space.console.run("affected", "--since", "rev-0001", "--explain", "nothing")

    assert leaf.splitlines()[0] == f"{LEAF} is affected by 3 differences since rev-0001"
    assert "  src/todo/leaf00.py  imports: it is gone, or not needed any more" in leaf.splitlines()
    assert (gone["since"], gone["file"], gone["is_test"]) == ("rev-0001", "src/todo/leaf00.py", False)
    assert [tie["test"] for tie in gone["ties"]] == [LEAF]
    assert core.startswith(f"{CORE} is not affected: none of its ")
    assert (wrong.code, "error[W0401]" in wrong.err) == (4, True)


def test_a_run_that_did_not_commit_tells_the_results_of_its_own(space: RealImpact) -> None:
    """W2-13: not those of the revision."""
    space.write(MID, space.read(MID) + "\n\ndef test_more():\n    pass\n")
    space.write(LEAF, "def test_wrong():\n    raise AssertionError\n")

    said = space.console.run("test", "--json")

    told = {one["test"]: (one["how"], one["total"]) for one in said.json()["tests"]}
    assert (said.code, said.json()["revision"]) == (3, None)
    assert told == {CORE: ("skipped", 1), LEAF: ("failed", 1), MID: ("passed", 2)}


def test_an_interrupted_run_tells_what_it_did(space: RealImpact, tmp_path: Path) -> None:
    """As windrow build does; what has not ended is told as not run."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    space.write(MID, space.read(MID) + "# edited\n")
    space.write(LEAF, f"import time\n\n\ndef test_slow():\n    open({str(fifo)!r}, 'w').close()\n    time.sleep(60)\n")

    with space.console.start("test", "-j", "1", "--json", "--junit", "report.xml") as process:
        fifo.read_text()
        process.send_signal(signal.SIGINT)
        said = ended(process)

    told = {one["test"]: one["how"] for one in said.json()["tests"]}
    assert (said.code, said.json()["schema"], said.json()["status"]) == (130, "windrow.test-run/1", "interrupted")
    assert told[LEAF] == "not run"
    assert told[CORE] == "skipped"
    assert told[MID] == ("passed" if said.json()["executed"] else "not run")
    assert "error[" in said.err
    assert len(ET.parse(space.root / "report.xml").findall("testsuite")) == 3


def test_affected_by_an_edit_of_windrow_toml_are_the_rules_that_it_changes(space: RealImpact) -> None:
    """The rest of the file may say what it likes; what cannot be told affects everything, and says so."""
    toml = space.read("windrow.toml")
    git(space, "init", "--quiet")
    git(space, "add", ".")
    git(space, "commit", "--quiet", "--message=all")

    def since() -> tuple[list[str], list[str]]:
        told = space.console.run("affected", "--since", "HEAD", "--json").json()
        return [job["job"] for job in told["jobs"]], [one["test"] for one in told["tests"]["selected"]]

    more = '\n[[rule]]\nname = "more"\ninputs = ["README.md"]\ncommand = "cp {in} {out}"\noutputs = ["build/more"]\n'
    space.write("windrow.toml", f"# about the project\n{toml}{more}")
    one_more = since()
    space.write("windrow.toml", toml.replace("[tests]\n", '[tests]\nargs = ["-v"]\n'))
    of_tests = since()
    space.write("windrow.toml", toml.replace('name = "check"', 'name = "check"\ntimeout = 77'))
    of_time = since()
    git(space, "commit", "--quiet", "--all", "--message=timeout")
    space.write("windrow.toml", "[project]\nname = 7\n")
    git(space, "commit", "--quiet", "--all", "--message=broken")
    space.write("windrow.toml", toml)
    said = space.console.run("affected", "--since", "HEAD")

    assert one_more == (["more:build/more"], [])
    assert of_tests == ([], [CORE, LEAF, MID])
    assert of_time == ([], [])  # how long it may take is nothing that an output depends on
    assert "so everything counts as affected: `project.name` must be" in said.err
    assert "3 of 3 test files to run" in said.out


def test_statistics_tell_projects_and_kinds_apart(space: RealImpact) -> None:
    """S1-25."""
    shutil.rmtree(space.root / "build")
    space.wipe_state()
    assert space.console.run("build", "--full").code == 0

    stats = space.console.run("cache", "stats", "--json").json()

    assert (stats["hits"], stats["misses"], stats["hit_rate"]) == (6, 6, 0.5)
    assert {kind: told["jobs"] for kind, told in stats["by_kind"].items()} == {"call": 3, "test": 3}
    assert stats["by_kind"]["test"]["seconds"] > 0
    assert stats["by_project"]["todo"]["jobs"] == 6
    assert "todo: " in space.console.run("cache", "stats").out


def test_a_store_that_cannot_be_written_changes_no_outcome(space: RealImpact) -> None:
    """W2-13, last part."""
    shutil.rmtree(space.cache / "store/results")
    (space.cache / "store/results").mkdir(mode=0o555)
    space.edit("leaf00")

    said = space.console.run("test", before=powerless())

    assert said.code == 0
    assert "its result is not kept for later builds" in said.err
    assert space.manifest().revision == 2


def test_shards_gather_files_into_jobs(space: RealImpact) -> None:
    space.write("windrow.toml", space.read("windrow.toml").replace("[tests]\n", "[tests]\nshards = 2\n"))

    said = space.console.run("test", "--json").json()

    assert said["planned"] == 2
    assert {one["how"] for one in said["tests"]} == {"passed"}
    before = {id_: entry.argv for id_, entry in space.manifest().jobs.items() if entry.rule == "test"}
    space.edit("leaf00")
    assert set(selected(space)) in ({LEAF}, {LEAF, MID}, {LEAF, CORE})
    space.console.run("test", "-q")
    assert {id_: entry.argv for id_, entry in space.manifest().jobs.items() if entry.rule == "test"} == before


@pytest.mark.parametrize(
    ("toml", "error"),
    [
        ('paths = "x"', "W0102"),
        ("shards = -1", "W0102"),
        ('results = "../x"', "W0102"),
        ("nonsense = 1", "W0102"),
        ('python = ".venv/bin/python"', "W0102"),
        ('python = "no-such-python"', "W3603"),
    ],
)
def test_a_wrong_setting_is_an_error_with_its_place(space: RealImpact, toml: str, error: str) -> None:
    space.write("windrow.toml", f'[project]\nname = "x"\n\n[tests]\n{toml}\n')

    said = space.console.run("test")

    assert f"error[{error}]" in said.err
    assert said.code == {"W0102": 2, "W3603": 36}[error]


@pytest.mark.parametrize(
    ("name", "fix"),
    [("no_such_test", "windrow test --dry-run lists the test files"), (f"{LEAF}::test_x", "leave out what follows")],
)
def test_a_name_of_no_test_file_is_an_error_that_speaks_of_tests(space: RealImpact, name: str, fix: str) -> None:
    said = space.console.run("test", name)

    assert (said.code, f"error[W0401]: no test file '{name}'" in said.err, fix in said.err) == (4, True, True)


def test_init_sees_tests_and_a_report_among_the_sources_is_warned_of(tmp_path: Path) -> None:
    space = RealImpact(tmp_path / "tree")
    space.write("src/shop/cart.py", "def total(prices):\n    return sum(prices)\n")
    space.write(
        "tests/test_cart.py", "from shop.cart import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    )

    begun = space.console.run("init")
    said = space.console.run("test", "--junit", "build/report.xml")
    odd = space.console.run("test", "--junit", "report.xml")

    assert (begun.code, begun.out.splitlines()[-1]) == (0, "next: windrow test")
    assert "[tests]" in space.read("windrow.toml")
    assert (said.code, said.out.strip()) == (0, "1 of 1 test file: 1 passed, 0 failed")
    assert "warning" not in said.err
    assert "warning: report.xml lies among the sources" in odd.err


def test_a_project_without_tests_says_so(space: RealImpact) -> None:
    space.write("windrow.toml", '[project]\nname = "x"\n')

    said = space.console.run("test")

    assert (said.code, "this project has no tests" in said.err) == (2, True)


@pytest.mark.slow
def test_the_whole_example_with_a_real_pytest(tmp_path: Path) -> None:
    """W2-02, W2-14 in part: 102 jobs, the row of core2, and a fault of which each failing test is selected."""
    space = RealImpact(tmp_path / "tree")
    todo.write(space.root)
    first = space.console.run("test", "--json").json()
    assert (first["executed"], {one["how"] for one in first["tests"]}) == (102, {"passed"})
    space.edit("core2", line="\n\ndef value():\n    return 0\n")

    said = space.console.run("test", "--json")

    told = {one["test"]: one["how"] for one in said.json()["tests"]}
    assert said.code == 3
    assert json.loads(said.out)["planned"] == 22
    assert sum(how == "failed" for how in told.values()) == 11
    assert sum(how == "passed" for how in told.values()) == 1
