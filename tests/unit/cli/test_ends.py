"""How a command ends that is told to: the first signal interrupts it, the second not what clears up, the third ends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, signal, sys
from cli.ends import ends_well

def command():
    try:
        os.kill(os.getpid(), signal.{first})
    except KeyboardInterrupt:
        for _ in range({more}):
            os.kill(os.getpid(), signal.{second})
        print("cleared up", flush=True)
        raise

sys.exit(ends_well(command, ()))
"""


def ended(first: str, second: str, more: int, *, start: str = "") -> subprocess.CompletedProcess[str]:
    program = start + PROGRAM.format(first=first, second=second, more=more)
    return subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGINT", "SIGTERM"), ("SIGTERM", "SIGINT")])
def test_a_second_signal_does_not_interrupt_what_clears_up(first: str, second: str) -> None:
    done = ended(first, second, 1)

    assert (done.returncode, done.stdout) == (130, "cleared up\n")
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_third_signal_ends_the_process_at_once() -> None:
    done = ended("SIGINT", "SIGINT", 2)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_stays_ignored_where_a_shell_has_it_ignored() -> None:
    done = ended("SIGINT", "SIGINT", 0, start="import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
