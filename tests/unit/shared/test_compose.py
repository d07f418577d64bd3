"""The stack of stores that settings describe, and what it costs to open it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shared import hashing
from shared.errors import ConfigError, StoreUnavailable
from shared.settings import Settings, StorageSettings
from shared.storage.compose import open_stores
from shared.storage.disk import DiskBlobs
from shared.storage.disk_refs import DiskRefs
from shared.storage.memory import MemoryRefs
from shared.storage.probed_refs import ProbedRefs
from shared.storage.remembered import Remembered
from tests.contracts.ref_store import POINTER
from tests.contracts.results import made
from tests.fakes.clock import FakeClock


def settings(folder: Path, url: str = "") -> Settings:
    return Settings(
        root=folder, project="p", branch="main", cache_dir=folder / "cache", storage=StorageSettings(url=url)
    )


def test_without_an_address_everything_is_in_the_cache_folder(tmp_path: Path) -> None:
    stores = open_stores(settings(tmp_path))
    result = made(stores.blobs)

    stores.results.put(result)
    stores.refs.swap(POINTER, b"1", None)

    again = open_stores(settings(tmp_path))
    hit = again.results.get(result.key)
    assert hit is not None and hit.source == "local"
    assert again.refs.read(POINTER) is not None
    assert not again.remote
    assert (tmp_path / "cache" / "store" / POINTER).exists()


def test_a_folder_is_shared_with_a_cache_in_front(tmp_path: Path) -> None:
    url = f"file://{tmp_path / 'shared store'}".replace(" ", "%20")
    first, second = (open_stores(settings(tmp_path / name, url)) for name in ("a", "b"))
    result = made(first.blobs)
    first.results.put(result)
    first.refs.swap(POINTER, b"1", None)

    hit = second.results.get(result.key)
    data = second.blobs.get(result.outputs[0].hash)

    assert hit is not None and hit.source == "remote"
    assert second.refs.read(POINTER) is not None
    assert (first.bytes_up > 0, second.bytes_down) == (True, len(data))
    assert DiskBlobs(tmp_path / "shared store").get(result.outputs[0].hash) == data
    assert second.local.get(result.outputs[0].hash) == data
    assert second.conditional == "file locks"


def test_what_is_known_of_one_store_is_not_believed_of_another(tmp_path: Path) -> None:
    embedded = open_stores(settings(tmp_path))
    result = made(embedded.blobs)
    embedded.results.put(result)

    moved = open_stores(settings(tmp_path, f"file://{tmp_path / 'far'}"))

    assert moved.results.get(result.key) is None
    assert moved.blobs.find_missing([result.outputs[0].hash]) == {result.outputs[0].hash}


@pytest.mark.parametrize("url", ["http://x/y", "/srv/farm", "file://host/x", "file:///", "s3:///x", "s3://b/../x"])
def test_an_address_that_is_none_is_a_configuration_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_stores(settings(tmp_path, url))

    assert url in str(caught.value)


def test_opening_writes_nothing(tmp_path: Path) -> None:
    for url in ("", f"file://{tmp_path / 'far'}", "s3://bucket/prefix"):
        open_stores(settings(tmp_path, url))

    assert list(tmp_path.iterdir()) == []


def test_only_a_bucket_loads_its_client_and_reading_it_loads_no_boto3() -> None:
    code = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        from shared.settings import Settings, StorageSettings
        from shared.storage.compose import open_stores
        from shared.errors import StoreUnavailable
        def loaded():
            heavy = ("boto3", "botocore", "redis", "celery", "grpc", "obstore", "pydantic", "rich")
            return [name for name in heavy if name in sys.modules]
        def settings(url, endpoint=""):
            folder = Path(sys.argv[1])
            return Settings(root=folder, project="p", branch="m", cache_dir=folder,
                            storage=StorageSettings(url=url, endpoint=endpoint))
        open_stores(settings("")).refs.read("a/current.json")
        open_stores(settings(f"file://{sys.argv[1]}/far")).refs.read("a/current.json")
        print(*loaded())
        try:
            open_stores(settings("s3://b/p", "http://127.0.0.1:9")).refs.read("a/current.json")
        except StoreUnavailable:
            print(*loaded())
        """
    )

    printed = subprocess.run(
        [sys.executable, "-c", code, "/nonexistent"], check=True, capture_output=True, text=True, timeout=60
    ).stdout

    assert printed.splitlines() == ["", "obstore"]


def test_a_bucket_that_ignores_conditions_is_refused_at_the_first_swap_only() -> None:
    inner = MemoryRefs()
    refs = ProbedRefs(inner, fallback=None, honours=lambda probe: False, label="bucket b at x")
    refs.write("results/ab/x", b"1")
    assert refs.read(POINTER) is None

    with pytest.raises(Exception, match="ignores conditional writes") as caught:
        refs.swap(POINTER, b"1", None)

    assert getattr(caught.value, "exit_code", 0) == 32


def test_a_bucket_is_asked_once_and_only_when_it_matters() -> None:
    asked: list[bool] = []

    def honours(probe: bool) -> bool | None:
        asked.append(probe)
        return True if probe else None

    refs = ProbedRefs(MemoryRefs(), fallback=None, honours=honours, label="b")
    refs.read(POINTER)
    refs.write("results/ab/x", b"1")
    refs.create("results/ab/y", b"1")
    before = list(asked)
    refs.swap(POINTER, b"1", None)

    assert (any(before), asked[-1]) == (False, True)
    assert refs.describe() == "not probed yet"


def test_what_was_found_out_is_believed_for_a_day(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "cache" / "buckets.json"
    Remembered(path, "one", clock).keep(conditional=True)
    Remembered(path, "two", clock).keep(conditional=False)

    known = [Remembered(path, place, clock).get("conditional") for place in ("one", "two", "three")]
    clock.advance(86401)
    later = Remembered(path, "one", clock).get("conditional")
    path.write_bytes(b"{damaged")

    assert known == [True, False, None]
    assert later is None
    assert Remembered(path, "one", clock).get("conditional") is None


def test_a_server_that_is_gone_is_not_taken_for_an_empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    stores = open_stores(
        Settings(
            root=tmp_path,
            project="p",
            branch="main",
            cache_dir=tmp_path,
            storage=StorageSettings(url="s3://b/p", endpoint="http://127.0.0.1:9"),
        )
    )

    for call in (
        lambda: stores.refs.read(POINTER),
        lambda: stores.results.get(hashing.of_bytes(b"k")),
        lambda: stores.blobs.find_missing([hashing.of_bytes(b"k")]),
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_the_local_refs_of_a_remote_store_are_its_own(tmp_path: Path) -> None:
    stores = open_stores(settings(tmp_path, f"file://{tmp_path / 'far'}"))

    assert isinstance(stores.local_refs, DiskRefs)
    assert stores.local_refs.root.parent == tmp_path / "cache" / "known"
