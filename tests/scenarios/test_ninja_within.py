"""A command of a build that starts another build of the same folder: an error in words, and nobody waits for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.lock import workspace
from shared.clock import SystemClock
from tests.scenarios.ninja_pair import Pair

WINDROW_NINJA = Path(sys.executable).parent / "windrow-ninja"
BUILD = f"""\
rule touch
  command = touch $out
rule within
  command = {WINDROW_NINJA} one
  pool = console
build one: touch
build check: within
"""
WAITS = """\
import sys
from pathlib import Path
from coordinator.lock import workspace
from shared.clock import SystemClock
with workspace.holding(Path(sys.argv[1]), SystemClock(), wait=None):
    pass
"""


def test_it_is_told_what_to_do_instead(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", BUILD)

    ran = pair.by_windrow("check")

    assert ran.code == 9, ran
    said = capfd.readouterr().err
    assert "A build cannot run within another build of the same folder" in said
    assert "--wait" not in said


def test_nobody_waits_for_who_waits_for_it(tmp_path: Path) -> None:
    with workspace.holding(tmp_path, SystemClock()):
        done = subprocess.run([sys.executable, "-c", WAITS, tmp_path], capture_output=True, timeout=30, check=False)

    assert b"LockHeld: A build cannot run within another" in done.stderr
