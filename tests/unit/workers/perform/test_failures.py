"""Orders that fail, or cannot be performed: each says what and why."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import hashing
from shared.errors import LocalError, StoreUnavailable
from shared.model.action import Action
from shared.model.job import JobOrder
from tests.fakes.clock import FakeClock
from tests.unit.workers.perform.farm import Farm, compiled, hello


def test_a_header_that_was_not_given_is_named(farm: Farm) -> None:
    hello(farm)
    del farm.files["inc/text.h"]

    outcome = compiled(farm)

    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "text.h" in outcome.wanted
    assert "inc/greet.h" not in outcome.wanted
    assert "fatal error" in outcome.stderr.text


def test_a_script_that_was_not_given_is_named_by_its_place_in_the_tree(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "python3 $PWD/tools/gen.py out")

    assert outcome.status == "failed"
    assert outcome.wanted == ("tools/gen.py",)


def test_a_program_of_the_tree_that_was_not_given_is_named(farm: Farm) -> None:
    outcome = farm.run("./tools/gen.sh", "out")

    assert (outcome.exit_code, outcome.wanted) == (127, ("tools/gen.sh",))


def test_a_long_output_does_not_hide_what_was_missing(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "cat tools/x.txt; yes | head -c 200000; exit 1")

    assert outcome.wanted == ("tools/x.txt",)


DEEP = "import os\nfor _ in range({}): os.mkdir('dd'), os.chdir('dd')"
BROKEN = {
    "folders without a path": (f'touch out; python3 -c "{DEEP.format(3000)}"', "so deep that they have no path"),
    "missing": (":", "did not write its declared output out"),
    "undeclared": ("touch out extra", "does not declare: extra"),
    "both": ("touch elsewhere", "did not write.*does not declare: elsewhere"),
    "symlink": ("ln -s /etc/passwd out", "is a symlink"),
    "directory": ("mkdir out", "is a directory"),
    "pipe": ("mkfifo out", "is a named pipe"),
    "setuid": ("touch out; chmod 4755 out", "setuid"),
    "hard link": ("touch $TMPDIR/x; ln $TMPDIR/x out", "another hard link"),
}


@pytest.fixture
def swept(tmp_path: Path) -> Iterator[None]:
    """Should folders stay that are deeper than Python can follow, pytest cannot remove them."""
    yield
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)


@pytest.mark.usefixtures("swept")
@pytest.mark.parametrize("kind", BROKEN)
def test_a_command_that_breaks_its_promise_fails(farm: Farm, kind: str) -> None:
    script, message = BROKEN[kind]

    outcome = farm.run("sh", "-c", script)

    assert outcome.status == "failed"
    assert outcome.exit_code == 0
    assert re.search(message, outcome.message), outcome.message
    assert farm.results.stored == {}


@pytest.mark.usefixtures("swept")
def test_a_job_may_leave_folders_of_any_depth(farm: Farm) -> None:
    for number in range(2):
        # More than Python can follow; the tree of the first is removed while the second runs.
        outcome = farm.run("sh", "-c", f'echo {number} > out; python3 -c "{DEEP.format(1200)}"')

        assert outcome.status == "executed", outcome
    farm.worker.close()
    assert list((farm.root / "sandboxes").iterdir()) == []


def test_a_depfile_that_was_not_written_fails_the_job(farm: Farm) -> None:
    outcome = farm.run("touch", "out", depfile="out.d")

    assert outcome.status == "failed"
    assert "did not write its depfile out.d" in outcome.message


def test_a_failed_command_stores_nothing_even_if_it_wrote_its_outputs(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "echo half > out; echo why >&2; exit 3")

    assert (outcome.status, outcome.exit_code, outcome.message) == ("failed", 3, "exit code 3")
    assert outcome.stderr.text == "why\n"
    assert farm.results.stored == {}
    assert hashing.of_bytes(b"half\n") not in farm.blobs.contents


def test_a_killed_command_names_its_signal(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "kill -SEGV $$")

    assert (outcome.status, outcome.exit_code, outcome.message) == ("failed", 139, "killed by SIGSEGV")


def test_a_command_past_its_time_limit_fails(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "echo begun; sleep 60", timeout=0.3)

    assert (outcome.status, outcome.exit_code) == ("failed", 124)
    assert "time limit of 0.3 s" in outcome.message
    assert outcome.stdout.text == "begun\n"


def test_a_tool_that_is_not_there_is_named(farm: Farm) -> None:
    farm.write("plain", "#!/bin/sh\n")

    missing = farm.run("no-such-tool", "x")
    refused = farm.run("./plain")

    assert (missing.status, missing.exit_code, missing.message) == ("failed", 127, "no-such-tool: not found")
    assert (refused.status, refused.exit_code) == ("failed", 126)


def test_missing_and_damaged_inputs_are_all_named(farm: Farm) -> None:
    for name in "abc":
        farm.write(name, name)
    farm.blobs.delete(farm.files["a"].hash)
    farm.blobs.contents[farm.files["c"].hash] = b"bit rot"

    outcome = farm.run("true")

    assert outcome.status == "missing"
    assert set(outcome.missing) == {farm.files["a"].hash, farm.files["c"].hash}


def test_a_store_that_is_away_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    clock = FakeClock()
    farm = Farm(tmp_path, clock=clock)
    farm.write("a", "a")
    farm.write("b", "b")
    farm.blobs.failures = 3

    outcome = farm.run("sh", "-c", "cat a b > out")

    farm.worker.close()
    assert outcome.status == "executed"
    assert outcome.result is not None
    assert farm.text(outcome.result.outputs[0].hash) == "ab"
    assert clock.slept == [0.2, 1.0, 3.0]


def test_a_store_that_stays_away_is_an_error(tmp_path: Path) -> None:
    farm = Farm(tmp_path, clock=FakeClock())
    farm.write("a", "a")
    farm.blobs.failures = 100

    with pytest.raises(StoreUnavailable):
        farm.run("true")

    farm.blobs.failures = 0
    assert farm.run("cp", "a", "out").status == "executed"
    farm.worker.close()


def test_a_sandbox_root_that_cannot_be_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "sandboxes").write_text("")
    farm = Farm(tmp_path)

    with pytest.raises(LocalError) as caught:
        farm.run("true")

    assert str(tmp_path / "sandboxes") in caught.value.at
    farm.worker.close()


def test_an_action_that_would_escape_fails(farm: Farm) -> None:
    for outputs in (("../out",), ("/etc/out",), (".git/hooks/x",)):
        outcome = farm.run("touch", outputs[0], outputs=outputs)

        assert outcome.status == "failed"
        assert "not a path inside the tree" in outcome.message


def test_a_kind_nobody_knows_fails(farm: Farm) -> None:
    action = Action("teleport", (), (), (), None, "", (), ())

    outcome = farm.worker.perform(JobOrder("b", "j", 1, action, 1.0))

    assert outcome.status == "failed"
    assert "teleport" in outcome.message
