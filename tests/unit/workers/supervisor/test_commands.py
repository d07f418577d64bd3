"""What a command is given, and what is told of it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.unit.workers.supervisor.commands import PATH, request
from workers.execute.slot import Slot


def test_exit_code_signal_and_times_are_told(slot: Slot, tmp_path: Path) -> None:
    busy = "x=0; while [ $x -lt 20000 ]; do x=$((x+1)); done; echo out; echo err >&2; exit 7"

    ended = slot.run(request(tmp_path, "sh", "-c", busy))
    killed = slot.run(request(tmp_path, "sh", "-c", "kill -SEGV $$"))

    assert (ended.exit_code, ended.signal) == (7, 0)
    assert ended.seconds > 0
    assert ended.user + ended.sys > 0
    assert ended.max_rss_kb > 500
    assert (killed.exit_code, killed.signal) == (-1, signal.SIGSEGV)


def test_each_stream_has_its_file_and_an_empty_one_has_none(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "sh", "-c", "echo out"))

    assert (tmp_path / "stdout").read_text() == "out\n"
    assert not (tmp_path / "stderr").exists()


def test_a_command_that_is_not_there_is_named(slot: Slot, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")

    missing = slot.run(request(tmp_path, "no-such-tool"))
    relative = slot.run(request(tmp_path, "./nowhere"))
    refused = slot.run(request(tmp_path, "./plain"))

    assert missing.error_errno == relative.error_errno == 2
    assert "No such file" in missing.error
    assert refused.error_errno == 13
    assert slot.run(request(tmp_path, "true")).exit_code == 0


def test_words_that_cannot_be_passed_are_refused(slot: Slot, tmp_path: Path) -> None:
    nul = slot.run(request(tmp_path, "echo", "a\0b"))
    name = slot.run(request(tmp_path, "echo", **{"A=B": "x"}))
    huge = slot.run(request(tmp_path, "echo", "x" * (1 << 21)))

    assert "null" in nul.error
    assert name.error
    assert "too long" in huge.error
    assert slot.run(request(tmp_path, "true")).exit_code == 0


def test_a_command_gets_its_environment_and_nothing_else(
    slot: Slot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_SECRET", "tweet")

    slot.run(request(tmp_path, "env", GREETING="grüß \udc80"))

    seen = (tmp_path / "stdout").read_bytes()
    assert set(seen.splitlines()) == {f"PATH={PATH}".encode(), b"GREETING=gr\xc3\xbc\xc3\x9f \x80"}
    supervisor = slot._process
    assert supervisor is not None
    assert b"CANARY" not in Path(f"/proc/{supervisor.pid}/environ").read_bytes()


def test_a_command_gets_no_files_no_input_and_a_plain_umask(slot: Slot, tmp_path: Path) -> None:
    slot.run(request(tmp_path, "sh", "-c", "umask; wc -c; ls /proc/self/fd; ulimit -c"))

    assert (tmp_path / "stdout").read_text().split() == ["0022", "0", "0", "1", "2", "3", "0"]


def test_paths_of_any_letters_work(slot: Slot, tmp_path: Path) -> None:
    folder = tmp_path / "ä b'c$d"
    folder.mkdir()

    ended = slot.run(request(folder, "sh", "-c", 'pwd; echo "$1"', "x", 'ü\n"q"'))

    assert ended.exit_code == 0
    assert (folder / "stdout").read_text() == f'{folder}\nü\n"q"\n'
