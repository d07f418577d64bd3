"""--record-coverage: what a test was seen to execute counts beside what it imports."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.console import ended
from tests.scenarios.impact_by_pytest.looks import CORE, LEAF, MID, selected
from tests.scenarios.impact_project import RealImpact

pytestmark = pytest.mark.xdist_group("windrow-test")
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


def test_without_a_file_for_it_nothing_is_recorded(space: RealImpact) -> None:
    said = space.console.run("test", "--record-coverage")

    assert (said.code, 'fix: [tests] coverage = "' in said.err) == (2, True)


def test_an_interrupted_recording_tells_what_it_did_and_writes_nothing(space: RealImpact, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    toml = space.read("windrow.toml").replace("[tests]\n", '[tests]\ncoverage = "tests/seen.json"\n')
    space.write("windrow.toml", toml)
    space.write(LEAF, f"import time\n\n\ndef test_slow():\n    open({str(fifo)!r}, 'w').close()\n    time.sleep(60)\n")

    with space.console.start("test", "--record-coverage", "-j", "1", LEAF) as process:
        fifo.read_text()
        process.send_signal(signal.SIGINT)
        said = ended(process)

    assert said.code == 130
    assert said.out == "nothing recorded in tests/seen.json; tests that were run are not run again for it\n"
    assert "interrupted: 0 of 1 jobs done" in said.err and "error[" in said.err
    assert not space.exists("tests/seen.json")
