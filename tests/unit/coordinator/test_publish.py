"""Loading and publishing manifests: numbers, conflicts, damage, crashes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator import refnames
from coordinator.commit.base import read_manifest, revisions
from coordinator.commit.publish import content_hash, load, publish
from coordinator.lock.file import FileLock
from coordinator.lock.lease import me
from shared import canonical, hashing
from shared.errors import Conflict, CorruptRecord, LockLost, SchemaUnknown, StoreUnavailable
from shared.model.manifest import revision_name
from shared.storage.disk_refs import DiskRefs
from shared.storage.memory import MemoryRefs
from shared.storage.refs import Record
from tests.contracts.build_lock import stranger
from tests.contracts.commit_race import NOW, commit, draft, race
from tests.fakes.clock import FakeClock

Made = TypeVar("Made")
POINTER = "projects/p/main/current.json"
FIRST = "projects/p/main/manifests/rev-0001.json"


@pytest.fixture
def refs() -> MemoryRefs:
    return MemoryRefs()


def test_a_first_build_makes_revision_one(refs: MemoryRefs) -> None:
    base = commit(refs, load(refs, "p", "main"), "b-1", 1)

    assert base.pointer is not None and base.manifest is not None
    assert (base.pointer.revision, base.pointer.fence, base.manifest.base_revision) == (1, 1, 0)
    assert base.pointer.manifest_hash == hashing.of_bytes(refs.contents[FIRST])
    assert base.manifest.content_hash == content_hash(base.manifest)
    assert load(refs, "p", "main") == base


def test_the_next_build_is_numbered_and_chained(refs: MemoryRefs) -> None:
    first = commit(refs, load(refs, "p", "main"), "b-1", 1)

    second = commit(refs, first, "b-2", 2)

    assert second.manifest is not None
    assert (second.manifest.revision, second.manifest.base_revision) == (2, 1)
    assert second.manifest.base_hash == first.manifest_hash
    assert load(refs, "p", "main").manifest == second.manifest


def test_branches_and_projects_stand_apart(refs: MemoryRefs) -> None:
    commit(refs, load(refs, "p", "main"), "b-1", 1)

    assert load(refs, "p", "other").manifest is None
    assert load(refs, "q", "main").manifest is None


@given(st.lists(st.text(alphabet="a~/01", min_size=1), min_size=2, max_size=2, unique=True))
def test_no_two_branches_share_a_folder(branches: list[str]) -> None:
    first, second = (refnames.folder("p", branch) for branch in branches)

    assert first != second
    assert first.count("/") == second.count("/") == 3


@given(st.integers(1, 10**7))
def test_revisions_are_found_in_names(revision: int) -> None:
    assert refnames.revision_of(refnames.manifest("p", "main", revision)) == revision
    assert refnames.revision_of(refnames.run("p", "main", revision, "plan")) == revision
    assert refnames.revision_of(refnames.events("p", "main", revision, "inputs")) == revision


def test_revisions_are_in_the_order_of_numbers(refs: MemoryRefs) -> None:
    for number in (10000, 2, 9999):
        refs.write(refnames.manifest("p", "main", number), b"")

    assert revisions(refs, "p", "main") == [2, 9999, 10000]


def test_a_base_that_moved_is_a_conflict_that_names_both_revisions(refs: MemoryRefs) -> None:
    base = commit(refs, load(refs, "p", "main"), "b-1", 1)
    winner = commit(refs, base, "b-2", 2)

    with pytest.raises(Conflict) as caught:
        commit(refs, base, "b-3", 3)

    assert caught.value.exit_code == 11
    assert "rev-0001" in caught.value.why and "rev-0002" in caught.value.why and "b-2" in caught.value.why
    assert load(refs, "p", "main").manifest == winner.manifest


def test_an_orphan_manifest_is_numbered_past(refs: MemoryRefs) -> None:
    base = commit(refs, load(refs, "p", "main"), "b-1", 1)
    orphan = refnames.manifest("p", "main", 2)
    refs.write(orphan, b"of a build that died")

    done = commit(refs, base, "b-3", 2)

    assert done.pointer is not None and done.pointer.revision == 3
    assert refs.contents[orphan] == b"of a build that died"


def test_a_lost_lease_commits_nothing(refs: MemoryRefs) -> None:
    before = dict(refs.contents)

    with pytest.raises(LockLost) as caught:
        commit(refs, load(refs, "p", "main"), "b-1", 1, lost=True)

    assert caught.value.exit_code == 32
    assert refs.contents == before


def test_a_late_holder_is_refused_by_its_fence_even_with_the_present_base(refs: MemoryRefs) -> None:
    commit(refs, load(refs, "p", "main"), "b-1", 7)

    with pytest.raises(LockLost):
        commit(refs, load(refs, "p", "main"), "b-late", 6)


def test_a_paused_holder_that_wakes_up_is_refused(refs: MemoryRefs, tmp_path: Path) -> None:
    clock = FakeClock()
    lock = FileLock(tmp_path, clock)
    base = load(refs, "p", "main")
    paused = lock.acquire(stranger())
    clock.advance(301)
    quick = lock.acquire(me("b-2"))
    done = publish(refs, base, draft("b-2"), quick, now=NOW)

    with pytest.raises(LockLost):
        publish(refs, base, draft("b-far"), paused, now=NOW)
    with pytest.raises(Conflict):
        commit(refs, base, "b-far", paused.fence)

    assert load(refs, "p", "main").manifest == done.manifest


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b"null", b'{"schema":"windrow.pointer/1"}', b"\xff\xfe", b'{"schema":"other/1"}']
)
def test_a_damaged_pointer_is_said_kept_and_replaced(refs: MemoryRefs, junk: bytes) -> None:
    commit(refs, load(refs, "p", "main"), "b-1", 4)
    refs.contents[POINTER] = junk

    base = load(refs, "p", "main")
    done = commit(refs, base, "b-2", 5)

    assert base.manifest is None and base.fence == 4
    assert "current.json" in base.problems[0]
    assert done.pointer is not None and done.pointer.revision == 2
    assert not junk or junk in [data for name, data in refs.contents.items() if "/damaged/" in name]
    assert load(refs, "p", "main").problems == ()


@pytest.mark.parametrize("junk", [None, b"", b"{}", b'{"schema":"windrow.manifest/1"}', b'{"schema":"windrow.manifest/2"}'])
def test_a_damaged_manifest_is_said_and_numbered_past(refs: MemoryRefs, junk: bytes | None) -> None:
    first = commit(refs, load(refs, "p", "main"), "b-1", 1)
    second = commit(refs, first, "b-2", 2)
    name = refnames.manifest("p", "main", 2)
    if junk is None:
        del refs.contents[name]
    else:
        refs.contents[name] = junk

    base = load(refs, "p", "main")
    done = commit(refs, base, "b-3", 3)

    assert base.manifest is None and base.pointer == second.pointer
    assert "rev-0002" in base.problems[0]
    assert done.pointer is not None and done.pointer.revision == 3
    assert refs.contents.get(name) == junk


def store_as_is(refs: MemoryRefs, record: dict[str, object]) -> None:
    data = canonical.encode(record)
    refs.contents[FIRST] = data
    pointer = {"schema": "windrow.pointer/1", "revision": 1, "manifest_hash": hashing.of_bytes(data)}
    refs.contents[POINTER] = canonical.encode({**pointer, "fence": 1, "updated_at": "", "build": "b"})


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", ".git/config", "a//b", ""])
def test_a_path_that_leaves_the_tree_makes_a_manifest_damaged(refs: MemoryRefs, path: str) -> None:
    record = msgspec.to_builtins(msgspec.structs.replace(draft("b-1"), revision=1))
    record["artefacts"][path] = record["artefacts"]["a.o"]
    store_as_is(refs, record)

    base = load(refs, "p", "main")

    assert base.manifest is None
    assert repr(path) in base.problems[0]


def test_a_manifest_of_another_project_is_refused(refs: MemoryRefs) -> None:
    store_as_is(refs, msgspec.to_builtins(msgspec.structs.replace(draft("b-1"), revision=1, project="q")))

    assert "belongs to q/main" in load(refs, "p", "main").problems[0]


def test_a_manifest_of_a_newer_windrow_is_an_error_that_says_so(refs: MemoryRefs) -> None:
    store_as_is(refs, {"schema": "windrow.manifest/3", "tool": "windrow 9.1"})

    with pytest.raises(SchemaUnknown) as caught:
        load(refs, "p", "main")

    assert "windrow 9.1" in caught.value.why and caught.value.exit_code == 2


def test_a_pointer_of_a_newer_windrow_is_an_error(refs: MemoryRefs) -> None:
    refs.contents[POINTER] = json.dumps({"schema": "windrow.pointer/3"}).encode()

    with pytest.raises(SchemaUnknown):
        load(refs, "p", "main")


def test_fields_added_later_do_not_stop_an_older_windrow(refs: MemoryRefs) -> None:
    record = msgspec.to_builtins(msgspec.structs.replace(draft("b-1"), revision=1))
    store_as_is(refs, {**record, "new_field": [1, 2]})

    assert load(refs, "p", "main").manifest is not None


class Counting(MemoryRefs):
    """Counts reads, and can lose the reply of the n-th change."""

    def __init__(self, fail_at: int = 0, *, after: bool = False) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.fail_at, self.after, self.changes = fail_at, after, 0

    def read(self, name: str) -> Record | None:
        self.reads.append(name)
        return super().read(name)

    def create(self, name: str, data: bytes) -> str | None:
        return self._change(lambda: super(Counting, self).create(name, data))

    def swap(self, name: str, data: bytes, expected: str | None, *, fence: int = 0) -> str:
        return self._change(lambda: super(Counting, self).swap(name, data, expected, fence=fence))

    def _change(self, change: Callable[[], Made]) -> Made:
        self.changes += 1
        if self.changes == self.fail_at and not self.after:
            raise StoreUnavailable("lost on the way there")
        done = change()
        if self.changes == self.fail_at:
            raise StoreUnavailable("lost on the way back")
        return done


def test_the_copy_in_the_workspace_saves_the_second_read(tmp_path: Path) -> None:
    refs, local = Counting(), tmp_path / ".windrow" / "manifest.json"
    commit(refs, load(refs, "p", "main"), "b-1", 1, local=local)
    refs.reads.clear()

    base = load(refs, "p", "main", local=local)

    assert refs.reads == [POINTER]
    assert base.manifest is not None and base.manifest.build == "b-1"


@pytest.mark.parametrize("text", [None, b"", b"{}"])
def test_a_missing_or_damaged_copy_costs_a_read_and_is_mended(tmp_path: Path, text: bytes | None) -> None:
    refs, local = MemoryRefs(), tmp_path / "manifest.json"
    commit(refs, load(refs, "p", "main"), "b-1", 1)
    if text is not None:
        local.write_bytes(text)

    base = load(refs, "p", "main", local=local)

    assert base.manifest is not None and not base.problems
    assert local.read_bytes() == refs.contents[FIRST]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fail_at", [1, 2])
def test_a_store_that_fails_leaves_the_old_or_the_new_revision(fail_at: int, after: bool) -> None:
    refs = Counting()
    base = commit(refs, load(refs, "p", "main"), "b-1", 1)
    refs.changes, refs.fail_at, refs.after = 0, fail_at, after

    try:
        commit(refs, base, "b-2", 2)
        committed = True
    except StoreUnavailable:
        committed = False

    now = load(refs, "p", "main")
    assert committed == (fail_at == 2 and after)
    assert now.manifest is not None and now.manifest.build == ("b-2" if committed else "b-1")
    assert not now.problems
    done = commit(refs, now, "b-3", 3)
    assert load(refs, "p", "main").manifest == done.manifest


def test_competing_commits_have_one_winner_each_round(tmp_path: Path) -> None:
    race(lambda: DiskRefs(tmp_path))


COMMIT = """
import sys
from pathlib import Path
from coordinator.commit.publish import load
from shared.storage.disk_refs import DiskRefs
from tests.contracts.commit_race import commit
refs = DiskRefs(Path(sys.argv[1]))
commit(refs, load(refs, "p", "main"), sys.argv[2], int(sys.argv[3]))
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("commit.before-manifest", "b-1"),
        ("commit.after-manifest", "b-1"),
        ("commit.before-pointer", "b-1"),
        ("commit.after-pointer", "b-2"),
    ],
)
def test_a_build_killed_while_committing_leaves_the_old_or_the_new_revision(
    tmp_path: Path, name: str, expected: str
) -> None:
    command = [sys.executable, "-c", COMMIT, str(tmp_path)]
    subprocess.run([*command, "b-1", "1"], check=True)

    killed = subprocess.run([*command, "b-2", "2"], env={"WINDROW_FAILPOINT": f"{name}=kill"}, check=False)

    assert killed.returncode == -9
    refs = DiskRefs(tmp_path)
    base = load(refs, "p", "main")
    assert base.manifest is not None and base.manifest.build == expected and not base.problems
    done = commit(refs, base, "b-3", 3)
    assert (
        done.pointer is not None
        and revision_name(done.pointer.revision) == "rev-0003"
        or name == "commit.before-manifest"
    )
    assert load(refs, "p", "main").manifest == done.manifest


def test_a_revision_that_is_damaged_is_an_error_when_asked_for_by_number(refs: MemoryRefs) -> None:
    refs.contents[FIRST] = b"{"

    with pytest.raises(CorruptRecord):
        read_manifest(refs, "p", "main", 1)
    assert read_manifest(refs, "p", "main", 2) is None
