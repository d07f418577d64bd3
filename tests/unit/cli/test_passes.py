"""A build whose sources change under it looks again; what it tells at the end counts all that it ran."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared import hashing
from shared.clock import from_iso
from tests.console import Console, Said, ended
from tests.traps.arena import Gate
from tests.waiting import until

RULES = """\
[project]
name = "passes"

[[rule]]
name = "first"
inputs = ["a.txt"]
command = '''{gate}
cp a.txt out/first'''
outputs = ["out/first"]

[[rule]]
name = "second"
inputs = ["out/first", "b.txt"]
command = "cat out/first b.txt > out/second"
outputs = ["out/second"]
"""


class Passes(Console):
    """Two jobs, the second of which reads a source that may change while the first runs."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "tree", root / "cache", TMPDIR=str(root))
        self.gate = Gate(root / "gate")
        self.folder.mkdir()
        (self.folder / "windrow.toml").write_text(RULES.format(gate=self.gate.command))
        self.put(a="a\n", b="b\n")

    def put(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name}.txt").write_text(text)

    def build_while(self, *words: str, **texts: str) -> Said:
        """A build during whose first job sources come to hold these texts."""
        self.gate.shut()
        process = self.start("build", *words)
        self.gate.await_step()
        self.put(**texts)
        self.gate.open()
        return ended(process)


@pytest.fixture
def passes(tmp_path: Path) -> Iterator[Passes]:
    made = Passes(tmp_path)
    yield made
    made.gate.path.unlink(missing_ok=True)


def test_a_job_of_an_earlier_pass_counts_as_executed_and_not_as_reused(passes: Passes) -> None:
    said = passes.build_while("--json", b="changed\n")

    assert said.code == 0, said
    assert "b.txt changed while the build ran; looking again" in said.err
    told = said.json()
    assert (told["planned"], told["executed"], sum(told["reused"].values())) == (2, 2, 0)
    assert told["saved_seconds"] == 0
    assert (passes.folder / "out/second").read_text() == "a\nchanged\n"


def test_a_job_that_ran_in_two_passes_counts_twice(passes: Passes) -> None:
    said = passes.build_while(a="other\n", b="changed\n")

    assert said.code == 0, said
    assert "3 jobs executed, 0 reused" in said.err
    assert (passes.folder / "out/second").read_text() == "other\nchanged\n"


def test_status_and_builds_tell_of_the_build_as_a_whole(passes: Passes) -> None:
    told = passes.build_while("--json", a="other\n", b="changed\n").json()

    last = passes.run("status", "--json").json()["last_build"]
    text = passes.run("status").out
    (listed,) = passes.run("builds", "--json").json()["builds"]

    assert listed == last
    assert (told["executed"], sum(told["reused"].values())) == (3, 0)
    assert (last["status"], last["planned"], last["executed"], last["reused"]) == ("ok", 2, 3, 0)
    assert last["seconds"] == pytest.approx(told["seconds"], abs=0.5)
    # Two of the three are in the revision, and the first try of one is not.
    assert last["job_seconds"] > passes.run("status", "--json").json()["job_seconds"]
    assert from_iso(last["finished"]) - from_iso(last["started"]) == pytest.approx(last["seconds"], abs=0.1)
    assert "3 executed, 0 reused, 0 failed, 0 skipped" in text


def test_a_job_of_an_earlier_pass_is_no_reuse_for_status_either(passes: Passes) -> None:
    passes.build_while(b="changed\n")

    last = passes.run("status", "--json").json()["last_build"]

    assert (last["planned"], last["executed"], last["reused"]) == (2, 2, 0)


def test_outputs_that_an_earlier_pass_wrote_were_written(passes: Passes) -> None:
    """A blob vanishes when the outputs are in place, and somebody writes over one: the next pass makes that again."""
    running = passes.start("build", "--json", env={"WINDROW_FAILPOINT": "materialise.renamed-2=stop"})
    until(lambda: psutil.Process(running.pid).status() == psutil.STATUS_STOPPED, what="the outputs in place")
    blob = hashing.bare(hashing.of_bytes(b"a\nb\n"))
    (passes.cache / "store/blobs" / blob[:2] / blob).unlink()
    (passes.folder / "out/second").write_text("by hand\n")
    running.send_signal(signal.SIGCONT)

    said = ended(running)

    told = said.json()
    assert "vanished; looking again" in said.err
    assert (said.code, told["outputs_written"], told["executed"]) == (0, 2, 3), said
    assert (passes.folder / "out/second").read_text() == "a\nb\n"


def test_sources_that_never_come_to_rest_end_the_build_with_an_error_that_says_so(passes: Passes) -> None:
    restless = "".join(f"; date +%N > {passes.folder}/{name}.txt" for name in "ab")
    rules = passes.folder / "windrow.toml"
    rules.write_text(rules.read_text().replace("cp a.txt out/first", "cp a.txt out/first" + restless))

    said = passes.run("build")

    assert said.code == 1
    assert "error[W1003]: the sources keep changing while the build runs" in said.err
    assert "b.txt changed while the build ran" in said.err.partition("error[")[2]
    assert passes.run("status", "--json").json()["last_build"]["status"] == "failed"


def test_what_ran_is_told_even_when_there_is_nothing_left_to_do(passes: Passes) -> None:
    passes.run("build")
    passes.put(a="other\n", b="changed\n")

    said = passes.build_while("--json", a="a\n", b="b\n")

    told = said.json()
    last = passes.run("status", "--json").json()["last_build"]
    assert (said.code, told["status"], told["executed"]) == (0, "no-changes", 1), said
    assert (last["build"], last["status"], last["executed"]) == (told["build"], "no-changes", 1)


def test_so_it_is_for_people(passes: Passes) -> None:
    passes.run("build")
    passes.put(a="other\n", b="changed\n")

    said = passes.build_while(a="a\n", b="b\n")

    assert said.out.startswith("No changes detected")
    assert "1 job executed before the sources were changed back" in said.out
