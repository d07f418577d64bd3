"""Uploads: each source once a build, asked for first only where it is likely to be there."""

from __future__ import annotations

import threading

import pytest

from coordinator.dispatch.uploads import SourceMoved, Uploads
from shared import hashing
from shared.errors import StoreUnavailable
from shared.storage.memory import MemoryBlobs


class Store(MemoryBlobs):
    """Counts what it is asked and sent."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.sent: list[str] = []
        self.trouble: list[Exception] = []
        self.gate = threading.Barrier(1)
        self.meanwhile = lambda: None

    def find_missing(self, hashes):
        hashes = list(hashes)
        self.asked += hashes
        return super().find_missing(hashes)

    def put_file(self, hash_, path):
        self.gate.wait(10)
        self.sent.append(hash_)
        self.meanwhile()
        if self.trouble:
            raise self.trouble.pop()
        super().put_file(hash_, path)
        return path.stat().st_size


def write(folder, **texts):
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {hashing.of_bytes(text.encode()): name for name, text in texts.items()}


@pytest.fixture
def store():
    return Store()


def uploads(store, folder, likely=frozenset()):
    return Uploads(store, folder, lambda path, _hash: path in likely)


def test_a_file_is_sent_once_however_many_jobs_read_it(store, tmp_path):
    needed = write(tmp_path, a="1", b="2")
    sender = uploads(store, tmp_path)

    sender.ensure(needed)
    sender.ensure(needed)
    sender.close()

    assert sorted(store.sent) == sorted(needed)
    assert store.find_missing(needed) == set()


def test_a_new_file_is_sent_without_asking_and_an_old_one_asked_for(store, tmp_path):
    needed = write(tmp_path, new="1", old="2")
    old = next(hash_ for hash_, name in needed.items() if name == "old")
    store.put(old, b"2")
    sender = uploads(store, tmp_path, {"old"})

    sender.ensure(needed)
    sender.close()

    assert store.asked == [old]
    assert store.sent == [hash_ for hash_ in needed if hash_ != old]


def test_an_old_file_that_the_store_lost_is_sent(store, tmp_path):
    needed = write(tmp_path, old="2")
    sender = uploads(store, tmp_path, {"old"})

    sender.ensure(needed)

    assert store.sent == list(needed)


def test_two_jobs_at_once_send_what_both_read_once(store, tmp_path):
    shared = write(tmp_path, both="x")
    store.gate = threading.Barrier(2)  # the sender, and this test
    sender = uploads(store, tmp_path)
    threads = [threading.Thread(target=sender.ensure, args=(shared,)) for _ in range(2)]

    for thread in threads:
        thread.start()
    store.gate.wait(10)
    for thread in threads:
        thread.join(10)

    assert store.sent == list(shared)
    assert not any(thread.is_alive() for thread in threads)


def test_a_file_that_changed_since_the_scan_is_named(store, tmp_path):
    needed = write(tmp_path, a="1", b="2")
    (tmp_path / "a").write_text("other")
    sender = uploads(store, tmp_path)

    with pytest.raises(SourceMoved, match="a changed while the build ran"):
        sender.ensure(needed)
    sender.close()


def test_a_file_that_is_gone_is_named(store, tmp_path):
    needed = write(tmp_path, a="1")
    (tmp_path / "a").unlink()

    with pytest.raises(SourceMoved, match="a was deleted while the build ran"):
        uploads(store, tmp_path).ensure(needed)


def test_after_a_failure_it_is_tried_anew(store, tmp_path):
    needed = write(tmp_path, a="1")
    store.trouble = [StoreUnavailable("away")]
    sender = uploads(store, tmp_path)

    with pytest.raises(StoreUnavailable):
        sender.ensure(needed)
    sender.ensure(needed)

    assert store.sent == list(needed) * 2


def test_what_was_forgotten_is_sent_again(store, tmp_path):
    needed = write(tmp_path, a="1")
    sender = uploads(store, tmp_path)

    sender.ensure(needed)
    sender.forget(*needed)
    sender.ensure(needed)

    assert store.sent == list(needed) * 2


def test_who_waits_for_a_file_that_is_forgotten_on_its_way_is_told_all_the_same(store, tmp_path):
    needed = write(tmp_path, a="1")
    sender = uploads(store, tmp_path)
    store.meanwhile = lambda: sender.forget(*needed)
    waiting = threading.Thread(target=sender.ensure, args=(needed,), daemon=True)

    waiting.start()
    waiting.join(10)

    assert not waiting.is_alive()
    sender.ensure(needed)
    assert store.sent == list(needed) * 2


def test_it_tells_what_it_had_to_send(store, tmp_path):
    needed = write(tmp_path, a="1", b="2")
    known = write(tmp_path, c="3")
    for hash_ in known:
        MemoryBlobs.put(store, hash_, b"3")
    sender = uploads(store, tmp_path, likely={"c"})

    assert sorted(sender.ensure({**needed, **known})) == sorted(needed)
    assert sender.ensure({**needed, **known}) == []
