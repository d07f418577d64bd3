"""What a command sees of where it runs, and what it may change there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.workers.perform.farm import COMPILE, Farm, compiled, hello
from tests.waiting import until


def test_a_command_sees_nothing_of_the_worker(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_SECRET", "tweet")
    (farm.root / "neighbour").write_text("")

    outcome = farm.run("sh", "-c", "env > out; ls -a >> out", env=(("LANG", "C"), ("EMPTY", "")))

    assert outcome.result is not None
    seen = farm.text(outcome.result.outputs[0].hash)
    assert "CANARY" not in seen
    assert "LANG=C\n" in seen
    assert "EMPTY=\n" in seen
    assert "HOME=" not in seen
    assert seen.endswith(".\n..\nout\n")


def test_a_path_of_the_action_is_where_its_tools_come_from(farm: Farm) -> None:
    farm.write("bin/mytool", "#!/bin/sh\necho mine > out\n", executable=True)

    assert farm.run("mytool", env=(("PATH", "bin:/usr/bin:/bin"),)).status == "executed"
    assert farm.run("mytool").exit_code == 127


def test_logs_do_not_tell_where_the_job_ran(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "echo in $PWD at $PWD/x/y; touch out")

    assert outcome.stdout.text == "in . at x/y\n"


def test_debug_information_does_not_tell_where_the_job_ran(farm: Farm, tmp_path: Path) -> None:
    other = Farm(tmp_path / "another place")
    digests = set()

    for one in (farm, other):
        hello(one)
        for argv in (("gcc", "-g", *COMPILE[1:]), ("sh", "-c", "gcc -g " + " ".join(COMPILE[1:]))):
            outcome = compiled(one, *argv)
            assert outcome.result is not None
            digests.add(outcome.result.outputs[0].hash)
    other.worker.close()

    assert len(digests) == 1


def test_temporary_files_have_a_place_that_goes_away(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "f=$(mktemp) && echo x > $f && cp $f out && echo $f")

    assert outcome.status == "executed"
    assert str(farm.root) in outcome.stdout.text
    until(lambda: not Path(outcome.stdout.text.strip()).exists())


def test_python_leaves_no_byte_code_behind(farm: Farm) -> None:
    farm.write("tools/helper.py", "TEXT = 'x'\n")
    farm.write("tools/gen.py", "import helper, sys\nopen(sys.argv[1], 'w').write(helper.TEXT)\n")

    assert farm.run("python3", "tools/gen.py", "out").status == "executed"


def test_a_command_that_changes_what_it_reads_changes_only_its_copy(farm: Farm) -> None:
    hello(farm)
    script = f"{' '.join(COMPILE)} && echo '#include MACRO' > inc/greet.h && rm src/hello.c && mkfifo src/hello.c"

    outcome = compiled(farm, "sh", "-c", script)

    assert outcome.result is not None, outcome
    assert outcome.result.trace is not None
    assert outcome.result.trace.probes == ("greet.h", "stdio.h", "text.h")
    assert compiled(farm).status == "executed"
