"""The limits of a command: its time, what it may print, and that nothing outlives it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.unit.workers.supervisor.commands import DAEMONS, request, survivors, token
from workers.execute.slot import Slot


@pytest.mark.parametrize("ending", ["exits", "is too slow"])
@pytest.mark.parametrize("kind", DAEMONS)
def test_no_process_survives_its_command(slot: Slot, tmp_path: Path, kind: str, ending: str) -> None:
    mark = token()
    start = DAEMONS[kind].replace("{python}", sys.executable).replace("{t}", mark)
    wait = "sleep 0.15; exit 0" if ending == "exits" else f"sleep {mark}"

    ended = slot.run(request(tmp_path, "sh", "-c", f"{start}\n{wait}", timeout=20.0 if ending == "exits" else 0.4))

    assert survivors(mark) == []
    assert ended.timed_out == (ending == "is too slow")
    assert ended.stragglers >= 1


def test_a_fork_bomb_is_put_out(slot: Slot, tmp_path: Path) -> None:
    mark = token()
    bomb = f"f() {{ sh -c ': {mark}; sleep {mark}' & [ $1 -gt 60 ] || f $(($1 + 1)); wait; }}; f 1"

    ended = slot.run(request(tmp_path, "sh", "-c", bomb, timeout=0.5))

    assert ended.timed_out
    assert survivors(mark) == []


def test_a_time_limit_kills_a_stopped_command(slot: Slot, tmp_path: Path) -> None:
    ended = slot.run(request(tmp_path, "sh", "-c", "kill -STOP $$", timeout=0.2))

    assert ended.timed_out
    assert ended.signal == signal.SIGKILL
    assert ended.seconds < 5


def test_of_a_flood_the_beginning_and_the_end_are_kept(slot: Slot, tmp_path: Path) -> None:
    command = "echo first; head -c 3000000 /dev/zero; echo last; echo done >&2; exit 4"
    ended = slot.run(request(tmp_path, "sh", "-c", command, limit=1 << 20))

    kept, dropped = (tmp_path / "stdout").read_bytes(), 3_000_011 - (1 << 20)
    mark = b"\n[%d bytes were dropped here]\n" % dropped
    assert (ended.exit_code, ended.cut) == (4, (dropped, 0))
    assert kept.startswith(b"first\n\0")
    assert kept.endswith(b"\0last\n")
    assert (len(kept), kept.index(mark)) == ((1 << 20) + len(mark), 1 << 19)
    assert (tmp_path / "stderr").read_text() == "done\n"


@pytest.mark.parametrize("size", [512, 513, 1023, 1024])
def test_what_fits_is_kept_as_it_is(slot: Slot, tmp_path: Path, size: int) -> None:
    text = "".join(chr(33 + number % 90) for number in range(size))

    ended = slot.run(request(tmp_path, "printf", "%s", text, limit=1024))

    assert (tmp_path / "stdout").read_text() == text
    assert ended.cut == (0, 0)
