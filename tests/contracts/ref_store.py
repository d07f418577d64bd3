"""What every RefStore must do. A test class gives a store as the fixture `refs`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from shared.errors import Conflict, UsageError
from shared.storage.refs import RefStore

POINTER = "projects/hello/main/current.json"
ESCAPES = (
    "",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a/",
    "a/.hidden",
    "a\\b",
    "a\0b",
    "a\nb",
    "blobs/aa/x",
    "x" * 300,
    "a/current.json.tmp.1-2",
)


class RefStoreContract:
    """Inherit, and define the fixture `refs`."""

    def test_a_record_is_created_once(self, refs: RefStore) -> None:
        name = "projects/hello/main/manifests/rev-0001.json"

        tag = refs.create(name, b"first")
        again = refs.create(name, b"second")

        record = refs.read(name)
        assert record is not None
        assert (record.data, record.tag) == (b"first", tag)
        assert again is None

    def test_what_is_not_there_is_none(self, refs: RefStore) -> None:
        assert refs.read("projects/hello/other/current.json") is None
        assert refs.read("projects") is None

    def test_a_swap_replaces_the_record_it_names(self, refs: RefStore) -> None:
        first = refs.swap(POINTER, b"1", None)
        second = refs.swap(POINTER, b"2", first)

        record = refs.read(POINTER)
        assert record is not None
        assert record == (b"2", second)
        assert first != second

    def test_a_swap_from_a_stale_tag_is_a_conflict(self, refs: RefStore) -> None:
        first = refs.swap(POINTER, b"1", None)
        refs.swap(POINTER, b"2", first)

        for stale in (first, None, "nonsense"):
            with pytest.raises(Conflict):
                refs.swap(POINTER, b"3", stale)

        record = refs.read(POINTER)
        assert record is not None and record.data == b"2"

    def test_a_swap_of_what_is_not_there_is_a_conflict(self, refs: RefStore) -> None:
        with pytest.raises(Conflict):
            refs.swap(POINTER, b"1", "sha256:" + "0" * 64)

        assert refs.read(POINTER) is None

    def test_a_lower_fence_is_refused_even_from_the_right_tag(self, refs: RefStore) -> None:
        tag = refs.swap(POINTER, b"1", None, fence=7)

        with pytest.raises(Conflict):
            refs.swap(POINTER, b"late", tag, fence=6)
        refs.swap(POINTER, b"2", tag, fence=7)

        record = refs.read(POINTER)
        assert record is not None and record.data == b"2"

    def test_write_replaces_whatever_is_there(self, refs: RefStore) -> None:
        refs.write("projects/hello/main/runs/rev-0001-plan.json", b"1")
        refs.write("projects/hello/main/runs/rev-0001-plan.json", b"2")

        record = refs.read("projects/hello/main/runs/rev-0001-plan.json")
        assert record is not None and record.data == b"2"

    def test_names_are_listed_by_prefix_in_order(self, refs: RefStore) -> None:
        written = [f"projects/hello/main/manifests/rev-{number:04}.json" for number in (3, 1, 2)]
        for name in (*written, "projects/hello/mainly/manifests/rev-0009.json", "results/ab/x"):
            refs.write(name, b"x")

        assert refs.names("projects/hello/main/manifests/") == sorted(written)
        assert refs.names("projects/hello/main/manifests/rev-0002") == ["projects/hello/main/manifests/rev-0002.json"]
        assert "projects/hello/mainly/manifests/rev-0009.json" in refs.names("projects/hello/main")
        assert refs.names("nowhere/") == []
        assert set(written) < set(refs.names(""))

    def test_a_deleted_record_is_gone(self, refs: RefStore) -> None:
        refs.write("projects/hello/main/x.json", b"1")

        refs.delete("projects/hello/main/x.json")
        refs.delete("projects/hello/main/x.json")

        assert refs.read("projects/hello/main/x.json") is None

    def test_names_that_lead_elsewhere_are_refused(self, refs: RefStore) -> None:
        for name in ESCAPES:
            for call in (
                lambda name: refs.read(name),
                lambda name: refs.create(name, b"x"),
                lambda name: refs.write(name, b"x"),
                lambda name: refs.swap(name, b"x", None),
                lambda name: refs.delete(name),
            ):
                with pytest.raises(UsageError):
                    call(name)
        for prefix in ("../", "a/../../", "/etc/", "blobs/"):
            with pytest.raises(UsageError):
                refs.names(prefix)

    def test_names_may_hold_what_branches_hold(self, refs: RefStore) -> None:
        for part in ("a b", "fix-42", "a+b", "a@b", "ä", "a#b", "a%20b", "a=b", "a~b", "x" * 100):
            name = f"projects/p/{part}/current.json"

            refs.swap(name, part.encode(), None)

            record = refs.read(name)
            assert record is not None and record.data == part.encode()
            assert name in refs.names("projects/p/")

    def test_of_many_creators_one_wins(self, refs: RefStore) -> None:
        for round_ in range(5):
            name, barrier = f"projects/race/main/manifests/rev-{round_:04}.json", Barrier(16)

            def create(number: int, name: str = name, barrier: Barrier = barrier) -> str | None:
                barrier.wait()
                return refs.create(name, b"%d" % number)

            with ThreadPoolExecutor(16) as pool:
                tags = list(pool.map(create, range(16)))

            winners = [number for number, tag in enumerate(tags) if tag is not None]
            record = refs.read(name)
            assert record is not None
            assert [b"%d" % number for number in winners] == [record.data]

    def test_of_many_swappers_one_wins(self, refs: RefStore) -> None:
        name, tag = "projects/swaps/main/current.json", None
        for round_ in range(5):
            barrier = Barrier(16)

            def swap(
                number: int, tag: str | None = tag, barrier: Barrier = barrier, round_: int = round_
            ) -> str | None:
                barrier.wait()
                try:
                    return refs.swap(name, b"%d of %d" % (number, round_), tag, fence=round_)
                except Conflict:
                    return None

            with ThreadPoolExecutor(16) as pool:
                tags = list(pool.map(swap, range(16)))

            record = refs.read(name)
            assert record is not None
            assert [one for one in tags if one is not None] == [record.tag]
            tag = record.tag

    def test_a_counter_counts_every_swap(self, refs: RefStore) -> None:
        name = "projects/counter/main/current.json"
        refs.swap(name, b"0", None)

        def count_ten(_: int) -> None:
            for _ in range(10):
                while True:
                    record = refs.read(name)
                    assert record is not None
                    try:
                        refs.swap(name, b"%d" % (int(record.data) + 1), record.tag)
                    except Conflict:
                        continue
                    break

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(count_ten, range(4)))

        record = refs.read(name)
        assert record is not None and record.data == b"40"
