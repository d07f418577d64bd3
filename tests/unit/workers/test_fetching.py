"""Fetcher: what comes over a wire comes many at a time, once for all jobs that need it, and nothing is left half done."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared import hashing
from shared.errors import StoreUnavailable
from shared.model.action import Input
from shared.storage.caching import CachingBlobs
from shared.storage.disk import DiskBlobs
from shared.storage.memory import MemoryBlobs
from workers.sandbox.fetching import Fetcher, InputsMissing


class FarStore(MemoryBlobs):
    """A store beyond a wire: counts fetches, and has each wait until so many are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.together = threading.Barrier(1)
        self.trouble: dict[str, Exception] = {}

    def fetch(self, hash_, path, *, executable=False):
        self.fetched.append(hash_)
        self.together.wait(10)
        if hash_ in self.trouble:
            path.write_bytes(b"half of")
            raise self.trouble.pop(hash_)
        return super().fetch(hash_, path, executable=executable)

    def far(self, hashes):
        return set(hashes)


@pytest.fixture
def store():
    return FarStore()


@pytest.fixture
def inputs(store):
    texts = {f"f{number}": f"text {number}".encode() for number in range(4)}
    found = [Input(name, hashing.of_bytes(text), len(text)) for name, text in texts.items()]
    for item, text in zip(found, texts.values(), strict=True):
        store.put(item.hash, text)
    return found


def tree(tmp_path, name="tree"):
    folder = tmp_path / name
    folder.mkdir()
    return folder


def laid_out(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


ALL = {f"f{number}": f"text {number}" for number in range(4)}


def test_what_is_far_away_comes_at_once(store, inputs, tmp_path):
    store.together = threading.Barrier(4)  # a fetch goes on once all four are under way
    fetcher, folder = Fetcher(store), tree(tmp_path)

    fetcher.fetch(list(inputs), folder)
    fetcher.close()

    assert laid_out(folder) == ALL


def test_nothing_is_started_for_what_is_here(inputs, store, tmp_path):
    local = CachingBlobs(store, DiskBlobs(tmp_path / "cache"))
    for item in inputs:
        local.get(item.hash)
    fetcher, folder = Fetcher(local), tree(tmp_path)

    assert fetcher.fetch(list(inputs), folder) == 0

    assert laid_out(folder) == ALL
    assert not store.fetched


def test_the_same_bytes_under_two_names_come_once(store, inputs, tmp_path):
    local = CachingBlobs(store, DiskBlobs(tmp_path / "cache"))
    twins = [*inputs, Input("again", inputs[0].hash, inputs[0].size)]
    fetcher, folder = Fetcher(local), tree(tmp_path)

    fetcher.fetch(twins, folder)
    fetcher.close()

    assert laid_out(folder) == {**ALL, "again": "text 0"}
    assert sorted(store.fetched) == sorted(item.hash for item in inputs)


def test_two_jobs_that_need_the_same_fetch_it_once(store, inputs, tmp_path):
    local = CachingBlobs(store, DiskBlobs(tmp_path / "cache"))
    store.together = threading.Barrier(5)  # four fetches, and this test
    fetcher, folders = Fetcher(local), [tree(tmp_path, "one"), tree(tmp_path, "two")]
    jobs = [threading.Thread(target=fetcher.fetch, args=(list(inputs), folder)) for folder in folders]

    for job in jobs:
        job.start()
    store.together.wait(10)
    for job in jobs:
        job.join(10)
    fetcher.close()

    assert [laid_out(folder) for folder in folders] == [ALL, ALL]
    assert sorted(store.fetched) == sorted(item.hash for item in inputs)


def test_who_waited_for_another_that_failed_waits_for_no_third(store, inputs, tmp_path):
    """A store that is away keeps each waiting as long as it may; not one after the other."""
    local = CachingBlobs(store, DiskBlobs(tmp_path / "cache"))
    item, begun, go = inputs[0], threading.Event(), threading.Event()
    both, behind = threading.Barrier(2), threading.Semaphore(0)
    fetch = store.fetch

    def away(hash_, path, *, executable=False):
        if not begun.is_set():
            begun.set()
            assert go.wait(10)
            raise StoreUnavailable("away")
        both.wait(10)
        return fetch(hash_, path, executable=executable)

    store.fetch = away
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(local.fetch, item.hash, tmp_path / "first")
        assert begun.wait(10)
        coming = local._coming[item.hash]
        wait = coming.wait
        coming.wait = lambda: behind.release() or wait(10)
        rest = [pool.submit(local.fetch, item.hash, tmp_path / name) for name in ("second", "third")]
        assert all(behind.acquire(timeout=10) for _ in rest)
        go.set()
        with pytest.raises(StoreUnavailable):
            first.result()
        for one in rest:
            one.result()

    assert (tmp_path / "second").read_text() == (tmp_path / "third").read_text() == "text 0"


def test_every_missing_input_is_named(store, inputs, tmp_path):
    for item in inputs[1:3]:
        store.delete(item.hash)

    with pytest.raises(InputsMissing) as caught:
        Fetcher(store).fetch(list(inputs), tree(tmp_path))

    assert set(caught.value.hashes) == {item.hash for item in inputs[1:3]}


def test_after_a_store_failed_the_rest_is_fetched(store, inputs, tmp_path):
    store.trouble[inputs[2].hash] = StoreUnavailable("away")
    fetcher, folder, files = Fetcher(store), tree(tmp_path), list(inputs)

    with pytest.raises(StoreUnavailable):
        fetcher.fetch(files, folder)
    assert files == [inputs[2]]
    assert "f2" not in laid_out(folder)
    fetcher.fetch(files, folder)
    fetcher.close()

    assert laid_out(folder) == ALL
    assert len(store.fetched) == 5


def test_what_came_with_an_order_is_asked_of_no_store(inputs, store, tmp_path):
    fetcher, folder = Fetcher(store), tree(tmp_path)
    fetcher.keep({item.hash: f"text {number}".encode() for number, item in enumerate(inputs)})

    fetcher.fetch(list(inputs), folder)
    fetcher.close()

    assert (laid_out(folder), store.fetched) == (ALL, [])


def test_what_came_with_an_order_and_is_something_else_is_fetched(inputs, store, tmp_path):
    fetcher, folder = Fetcher(store), tree(tmp_path)
    fetcher.keep({item.hash: b"lies" for item in inputs})

    fetcher.fetch(list(inputs), folder)
    fetcher.close()

    assert laid_out(folder) == ALL
