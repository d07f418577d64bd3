"""Records on disk: several processes, crashes, leftovers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shared.errors import Conflict, StoreUnavailable
from shared.storage.disk_refs import DiskRefs
from tests.contracts.ref_store import POINTER
from tests.fakes.clock import FakeClock

COUNT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from shared.errors import Conflict
    from shared.storage.disk_refs import DiskRefs
    refs, done = DiskRefs(Path(sys.argv[1])), 0
    while done < 25:
        record = refs.read("a/current.json")
        try:
            refs.swap("a/current.json", b"%d" % (int(record.data) + 1), record.tag)
        except Conflict:
            continue
        done += 1
    """
)


def test_swaps_of_several_processes_all_count(tmp_path: Path) -> None:
    refs = DiskRefs(tmp_path)
    refs.swap("a/current.json", b"0", None)

    running = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(3)]
    codes = [one.wait(timeout=60) for one in running]

    record = refs.read("a/current.json")
    assert codes == [0, 0, 0]
    assert record is not None and record.data == b"75"


def test_the_fence_outlives_the_process_and_the_record(tmp_path: Path) -> None:
    DiskRefs(tmp_path).swap(POINTER, b"1", None, fence=9)
    DiskRefs(tmp_path).delete(POINTER)

    with pytest.raises(Conflict) as caught:
        DiskRefs(tmp_path).swap(POINTER, b"late", None, fence=8)

    assert "fence is 9" in caught.value.why


def test_a_guard_that_nobody_lets_go_of_is_an_error_after_a_while(tmp_path: Path) -> None:
    clock = FakeClock()
    refs = DiskRefs(tmp_path, clock=clock)
    with refs._guarded(tmp_path / "a" / "x"), pytest.raises(StoreUnavailable) as caught:
        DiskRefs(tmp_path, clock=clock).write("a/x", b"1")

    assert ".guard" in caught.value.at


def test_leftovers_and_guards_are_no_records(tmp_path: Path) -> None:
    refs = DiskRefs(tmp_path)
    refs.write("a/b", b"1")
    (tmp_path / "a" / "b.tmp.1-abc").write_bytes(b"torn")
    (tmp_path / "blobs" / "aa").mkdir(parents=True)
    (tmp_path / "blobs" / "aa" / "x").write_bytes(b"")

    assert refs.names("") == ["a/b"]
    assert dict(refs.ages("a/")).keys() == {"a/b"}


def test_reading_writes_nothing(tmp_path: Path) -> None:
    refs = DiskRefs(tmp_path / "store")

    assert refs.read(POINTER) is None
    assert refs.names("projects/") == []

    assert not (tmp_path / "store").exists()
