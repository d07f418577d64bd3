"""What is sent to a terminal: byte for byte what the real ninja sends to one of the same width."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import NINJA, Pair

# Colours in what is described and in what is printed, a job that has the terminal, and one that fails.
BUILD = """\
rule r
  command = $c
  description = D $out $more
build a: r
  c = printf '\\033[31mred\\033[0m\\n' && touch a
build b: r a
  c = touch b
  more = 12345678901234567890123456789012345678901234567890abcdefghij
build c: r b
  c = echo printed; touch c
  more = \x1b[32mgreen and long 12345678901234567890123456789012345678901234567890abcdefghij\x1b[0m
build held: r c
  c = echo by a console job; touch held
  pool = console
build bad: r held
  c = printf '\\033[35mbad\\033[0m\\n'; exit 3
"""


def _sent(argv: list[str], folder: Path, width: int, env: dict[str, str]) -> tuple[bytes, int]:
    """What a command sends to a terminal of that width, and its exit code."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, width))
    with subprocess.Popen(argv, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        sent = bytearray()
        try:
            while data := os.read(ours, 1 << 16):
                sent += data
        except OSError:  # so Linux says that nobody has the terminal open any more
            pass
        finally:
            os.close(ours)
    return bytes(sent), process.returncode


@pytest.mark.parametrize(
    ("words", "width", "env"),
    [
        ((), 80, {}),
        ((), 30, {"NINJA_STATUS": "[%f/%t %r %s %u %p] "}),
        (("-v",), 30, {}),
        (("--quiet",), 80, {}),
        (("-n",), 40, {}),
        ((), 80, {"TERM": "dumb"}),
    ],
    ids=["plain", "status", "verbose", "quiet", "dry", "dumb"],
)
def test_a_terminal_is_sent_what_ninja_sends(
    tmp_path: Path, words: tuple[str, ...], width: int, env: dict[str, str]
) -> None:
    assert NINJA is not None
    pair = Pair(tmp_path)
    pair.write("build.ninja", BUILD)
    environ = {
        "PATH": os.environ["PATH"], "TERM": "xterm", "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path),
    } | env  # fmt: skip

    ninja = _sent([NINJA, "-j1", *words], pair.ninja, width, environ)
    windrow = _sent([sys.executable, "-m", "windrow", "ninja", "-j1", *words], pair.windrow, width, environ)

    assert windrow == ninja
