"""Writing one file: the old bytes or the new ones, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import atomic
from shared.errors import LocalError, PermissionRefused


def test_a_file_is_replaced_with_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"

    atomic.write_atomic(path, b"1", durable=True)
    atomic.write_atomic(path, b"2", durable=False)

    assert path.read_bytes() == b"2"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        atomic.write_atomic(tmp_path / "file", b"x", durable=False)
    finally:
        os.umask(before)

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_bytes_and_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()

    with pytest.raises(LocalError) as caught:
        atomic.write_atomic(target, b"x", durable=True)

    assert caught.value.at == str(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises((PermissionRefused, LocalError)) as caught:
        atomic.write_atomic(Path("/proc/nothing/file"), b"x", durable=False)

    assert "/proc/nothing" in caught.value.at


def test_temporaries_of_dead_processes_are_swept_and_others_are_not(tmp_path: Path) -> None:
    name = "from shared import atomic; print(atomic.temporary_name('file'), end='')"
    dead = subprocess.run([sys.executable, "-c", name], check=True, capture_output=True, text=True).stdout
    own, other_machine = atomic.temporary_name("file"), "file.tmp.1-00000000abcdef"
    old_of_other_machine = "file.tmp.1-00000000fedcba"
    for one in (dead, own, other_machine, old_of_other_machine, "file"):
        (tmp_path / one).write_bytes(b"x")
    os.utime(tmp_path / old_of_other_machine, (1, 1))

    swept = atomic.sweep(tmp_path)

    assert swept == 2
    assert {entry.name for entry in tmp_path.iterdir()} == {own, other_machine, "file"}


def test_sweeping_a_folder_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    assert atomic.sweep(tmp_path / "gone") == 0
