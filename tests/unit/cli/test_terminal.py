"""The moving lines on a real terminal of 80 by 24, and the plain ones where there is none."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console import COMMAND, Console
from tests.traps.arena import Gate

pytestmark = pytest.mark.timeout(60)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?!0?m)[0-9;]*m")
HIDDEN = b"\x1b[?25l"  # the cursor, while lines move
COLUMNS, LINES = 80, 24
LONG = "a-file-with-a-name-that-is-so-long-that-no-terminal-of-eighty-columns-has-room-for-it-and-for-more"


class Terminal(Console):
    """A project of six jobs, one with a very long name, and one that waits while the gate is shut."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "tree", root / "cache", TERM="xterm-256color", LANG="C.UTF-8")
        self.gate = Gate(root / "gate")
        gate = self.gate.command.replace("{", "{{").replace("}", "}}")
        (self.folder / "src").mkdir(parents=True)
        for name in ("a", "b", "c", "d", "bad", LONG):
            (self.folder / f"src/{name}.txt").write_text(f"{name}\n")
        (self.folder / "windrow.toml").write_text(
            f'[project]\nname = "screen"\n\n[[rule]]\nname = "copy"\neach = "src/*.txt"\n'
            f"command = '''\n{gate}\n! grep -q broken {{in}} && cp {{in}} {{out}}'''\noutputs = [\"out/{{stem}}\"]\n"
        )

    def on_screen(self, *words: str, env: dict[str, str] | None = None, let_go: bool = False) -> tuple[int, str]:
        """Run a command with its stderr on a terminal; its exit code and all that was sent there."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        if let_go:
            self.gate.shut()
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
        )
        os.close(slave)
        sent = b""
        with os.fdopen(master, "rb", buffering=0) as screen, process:
            try:
                for data in chunks(screen):
                    sent += data
                    # Only when the waiting job has been shown is it let go; a long name is cut from the left.
                    moving = sent.partition(HIDDEN)[2]
                    if let_go and (b"copy:out/" in moving or LONG[-9:].encode() in moving):
                        self.gate.open()
                        let_go = False
                assert process.stdout is not None
                assert process.stdout.read() == ""
            except BaseException:
                process.kill()
                self.gate.open()
                raise
        return process.returncode, sent.decode()


def chunks(screen: object) -> Iterator[bytes]:
    while True:
        try:
            data = screen.read(4096)  # type: ignore[attr-defined]
        except OSError:
            return  # how a terminal says that nobody is at its other end any more
        if not data:
            return
        yield data


def shown(sent: str) -> list[str]:
    """The lines that stand on the screen when all is over: a small terminal."""
    lines, row, column = [""], 0, 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", sent):
        move = re.fullmatch(r"\x1b\[([0-9;?]*)([A-Za-z])", part)
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
        elif move and move[2] == "A":
            row = max(0, row - int(move[1] or 1))
        elif move and move[2] == "K":
            lines[row] = "" if move[1] == "2" else lines[row][:column]
        elif not move:
            lines += [""] * (row + 1 - len(lines))
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
        lines += [""] * (row + 1 - len(lines))
    return [line.rstrip() for line in lines]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.gate.path.unlink(missing_ok=True)


def test_running_jobs_are_shown_and_taken_off_the_screen(terminal: Terminal) -> None:
    (terminal.folder / f"src/{LONG}.txt").unlink()

    code, sent = terminal.on_screen("build", "-j", "1", let_go=True)

    left = [line for line in shown(sent) if line]
    assert code == 0
    assert re.search(r"\[\d/5\]", ESCAPE.sub("", sent))
    assert re.search(r"copy:out/\w+ +here", ESCAPE.sub("", sent))
    assert re.fullmatch(r"plan [0-9a-f]{6}  5 jobs known · 5 to run in 1 layer · 0 unchanged", left[0])
    assert re.fullmatch(r"build [0-9a-f]{6} ok: 5 jobs executed, 0 reused  [\d.]+s", left[1])
    assert left[2:] == ["5 outputs written; revision none → rev-0001"]
    assert sent.count("\x1b[?25l") == sent.count("\x1b[?25h") == 1
    assert "\x1b[?1049h" not in sent


def test_no_moving_line_is_longer_than_the_screen_is_wide(terminal: Terminal) -> None:
    """A line that wraps could not be taken back."""
    for path in (terminal.folder / "src").iterdir():
        if path.stem != LONG:
            path.unlink()
    (terminal.folder / "src/a.txt").write_text("a\n")

    _, sent = terminal.on_screen("build", "-j", "2", let_go=True)

    moving = sent.partition("\x1b[?25l")[2].partition("\x1b[?25h")[0]
    lines = [ESCAPE.sub("", line) for line in re.split(r"[\r\n]+", moving)]
    assert any("…" in line for line in lines)
    assert max(map(len, lines)) <= COLUMNS


def test_failures_stay_on_the_screen(terminal: Terminal) -> None:
    (terminal.folder / "src/bad.txt").write_text("broken\n")

    code, sent = terminal.on_screen("build", "-k")

    left = shown(sent)
    assert code == 1
    assert any(re.match(r"  FAIL copy:out/bad  [\d.]+s  exit code 1", line) for line in left)
    assert any(line.startswith("FAILED  copy:out/bad  (exit code 1") for line in left)
    assert not any(re.match(r"\[\d/6\]", line) for line in left)


def test_no_color_means_no_colour_but_still_moving_lines(terminal: Terminal) -> None:
    (terminal.folder / "src/bad.txt").write_text("broken\n")

    _, plain = terminal.on_screen("build", "-k", "-v", env={"NO_COLOR": "1"}, let_go=True)

    assert ESCAPE.search(plain)
    assert re.findall(r"\x1b\[(?:[0-9;]*;)?(?:3[0-9]|4[0-9]|9[0-9])(?:;[0-9;]*)?m", plain) == []
    assert "  FAIL copy:out/bad" in "\n".join(shown(plain))


def test_colour_is_used_where_it_is_wanted(terminal: Terminal) -> None:
    """Or else the test above would pass whatever happened."""
    (terminal.folder / "src/bad.txt").write_text("broken\n")

    _, sent = terminal.on_screen("build", "-k")

    assert "\x1b[31m" in sent
    assert COLOUR.search(sent)


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": ""}, {"CI": "true"}], ids=["dumb", "none", "CI"])
def test_a_terminal_that_can_do_nothing_gets_plain_lines(terminal: Terminal, env: dict[str, str]) -> None:
    code, sent = terminal.on_screen("build", env=env)

    assert code == 0
    assert "\x1b" not in sent
    assert "\r" not in sent.replace("\r\n", "\n")
    assert re.search(r"^\[6/6\] +[\d.]+s ok    copy:out/", sent, re.MULTILINE)


def test_a_build_with_nothing_to_do_moves_nothing(terminal: Terminal) -> None:
    terminal.run("build")
    with terminal.start("build") as process:
        assert process.stdout is not None
        said = process.stdout.read()

    master, slave = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "build"],
        cwd=terminal.folder,
        env=terminal.environment(),
        stdout=subprocess.PIPE,
        stderr=slave,
        check=False,
        text=True,
    )
    os.close(slave)
    os.set_blocking(master, False)
    try:
        sent = os.read(master, 1)
    except OSError:
        sent = b""
    os.close(master)

    assert said.startswith("No changes detected")
    assert (done.returncode, sent) == (0, b"")


def test_quiet_shows_nothing_but_failures(terminal: Terminal) -> None:
    good = terminal.on_screen("build", "-q")
    (terminal.folder / "src/bad.txt").write_text("broken\n")
    bad = terminal.on_screen("build", "-q")

    assert good == (0, "")
    assert bad[0] == 1
    assert "\x1b" not in bad[1]
    assert "FAILED  copy:out/bad" in bad[1]
