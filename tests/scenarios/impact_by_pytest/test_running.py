"""windrow test with a real pytest: what runs, what is told, what counts as an input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.console import ended, powerless
from tests.scenarios.impact_by_pytest.looks import CORE, LEAF, MID, selected
from tests.scenarios.impact_project import RealImpact, todo

pytestmark = pytest.mark.xdist_group("windrow-test")


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


def test_passes_that_come_from_the_cache_are_told_as_such(space: RealImpact) -> None:
    before = space.read(MID)
    space.write(MID, before + "# edited\n")
    fresh = space.console.run("test")
    space.write(MID, before)

    again = space.console.run("test", "--json")
    space.write(MID, before + "# edited\n")
    text = space.console.run("test").out

    assert "1 of 3 test files: 1 passed, 0 failed; 2 files skipped" in fresh.out
    told = {one["test"]: (one["how"], one["from_cache"]) for one in again.json()["tests"]}
    assert told == {MID: ("passed", True), LEAF: ("skipped", False), CORE: ("skipped", False)}
    assert "1 of 3 test files: 1 passed, 0 failed; 1 file from the cache; 2 files skipped" in text


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


@pytest.mark.parametrize("shards", ["", "shards = 3\n"])
@pytest.mark.parametrize(
    ("name", "meant"), [(".", {LEAF, MID, CORE}), ("./tests/", {LEAF, MID, CORE}), ("tests/test_m*.py", {MID})]
)
def test_a_folder_or_a_glob_stands_for_its_test_files(space: RealImpact, name: str, meant: set[str], shards: str) -> None:
    """All are out of date."""
    told = f'[tests]\nargs = ["-q"]\n{shards}'
    space.write("windrow.toml", space.read("windrow.toml").replace("[tests]\n", told))

    said = space.console.run("test", "--dry-run", "--json", name).json()

    assert {choice["test"] for choice in said["selected"]} == meant


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
