"""The stores on real servers: a bucket that honours conditions and checksums, and one that does not, beside Redis."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pytest

from cli.servers import Server
from shared import hashing
from shared.errors import BlobCorrupt, Conflict, FarmError, StoreUnavailable
from shared.settings import FarmSettings, Settings, StorageSettings
from shared.storage import names
from shared.storage.caching import CachingBlobs
from shared.storage.compose import open_stores
from shared.storage.credentials import Keys
from shared.storage.disk import DiskBlobs
from shared.storage.disk_refs import DiskRefs
from shared.storage.redis_refs import RedisRefs
from shared.storage.refs import RefStore
from shared.storage.s3 import STREAMED, S3Blobs
from shared.storage.s3_client import Bucket
from shared.storage.s3_probe import probe
from shared.storage.s3_refs import S3Refs
from shared.storage.stored_results import StoredResults, TieredResults
from tests.contracts.blob_store import BlobHarness, BlobStoreContract
from tests.contracts.ref_store import POINTER, RefStoreContract
from tests.contracts.results import ResultsContract, ResultsHarness
from tests.fakes.clock import FakeClock
from tests.services import S3Service, running_seaweedfs, running_valkey

pytestmark = pytest.mark.live


def open_bucket(service: S3Service, *, checksum: bool = False) -> Bucket:
    keys = Keys(service.access_key, service.secret_key)
    return Bucket(service.url(secrets.token_hex(6)), endpoint=service.endpoint, keys=keys, checksum=checksum)


def settings_for(service: S3Service, folder: Path, prefix: str, broker: str = "") -> Settings:
    return Settings(
        root=folder,
        project="p",
        branch="main",
        cache_dir=folder / "cache",
        storage=StorageSettings(url=service.url(prefix), endpoint=service.endpoint),
        farm=FarmSettings(broker=broker),
    )


class TestS3Blobs(BlobStoreContract):
    @pytest.fixture(params=[False, True], ids=["plain", "checksum"])
    def harness(self, seaweedfs: S3Service, request: pytest.FixtureRequest) -> BlobHarness:
        bucket = open_bucket(seaweedfs, checksum=request.param)

        def damage(hash_: str, data: bytes) -> None:
            obstore.put(bucket.store, names.blob_name(hash_), data)

        return BlobHarness(S3Blobs(bucket), damage)

    def test_a_large_file_goes_and_comes_in_parts(self, harness: BlobHarness, tmp_path: Path) -> None:
        source = tmp_path / "large"
        source.write_bytes(os.urandom(STREAMED * 2 + 12345))
        hash_, size = hashing.of_file(source)

        up = harness.store.put_file(hash_, source)
        again = harness.store.put_file(hash_, source)
        down = harness.store.fetch(hash_, tmp_path / "out", executable=True)

        assert (up, again, down) == (size, 0, size)
        assert hashing.of_file(tmp_path / "out") == (hash_, size)

    def test_a_large_file_that_changed_leaves_no_object(self, harness: BlobHarness, tmp_path: Path) -> None:
        source = tmp_path / "large"
        source.write_bytes(bytes(STREAMED * 2))
        wrong = hashing.of_bytes(b"something else")

        with pytest.raises(BlobCorrupt):
            harness.store.put_file(wrong, source)

        assert harness.store.find_missing([wrong]) == {wrong}

    def test_large_bytes_are_put_and_got(self, harness: BlobHarness) -> None:
        data = os.urandom(STREAMED + 1)
        hash_ = hashing.of_bytes(data)

        harness.store.put(hash_, data)

        assert harness.store.get(hash_) == data


class TestS3BlobsBehindACache(BlobStoreContract):
    @pytest.fixture
    def harness(self, seaweedfs: S3Service, tmp_path: Path) -> BlobHarness:
        bucket, fast = open_bucket(seaweedfs), DiskBlobs(tmp_path / "fast")

        def damage(hash_: str, data: bytes) -> None:
            fast.path(hash_).unlink()
            fast.path(hash_).write_bytes(data)
            obstore.put(bucket.store, names.blob_name(hash_), data)

        return BlobHarness(CachingBlobs(S3Blobs(bucket), fast), damage)


class TestS3Refs(RefStoreContract):
    @pytest.fixture
    def refs(self, seaweedfs: S3Service) -> RefStore:
        return S3Refs(open_bucket(seaweedfs))


class TestRedisRefs(RefStoreContract):
    """Over a bucket that answers 200 to every conditional write."""

    @pytest.fixture
    def refs(self, valkey: Server, rclone_s3: S3Service) -> RefStore:
        return RedisRefs(valkey.url, S3Refs(open_bucket(rclone_s3)), space=secrets.token_hex(6))


class TestResults(ResultsContract):
    @pytest.fixture
    def harness(self, seaweedfs: S3Service, tmp_path: Path) -> ResultsHarness:
        bucket = open_bucket(seaweedfs)
        far, refs = S3Blobs(bucket), S3Refs(bucket)

        def machine(name: str) -> TieredResults:
            local, local_refs = DiskBlobs(tmp_path / name), DiskRefs(tmp_path / name / "known")
            remote = StoredResults(refs, CachingBlobs(far, local), "remote")
            return TieredResults(
                StoredResults(local_refs, local, "local"), remote, confirmed=local_refs.age, lease=3600
            )

        blobs = CachingBlobs(far, DiskBlobs(tmp_path / "a"))
        return ResultsHarness(machine("a"), blobs, refs, lambda: machine("b"))


def test_what_a_server_honours_is_found_out(seaweedfs: S3Service, rclone_s3: S3Service) -> None:
    good, bad = probe(open_bucket(seaweedfs)), probe(open_bucket(rclone_s3))

    assert (good.conditional_create, good.conditional_swap, good.checksum) == (True, True, True)
    assert (bad.conditional_create, bad.conditional_swap, bad.checksum) == (False, False, False)


def test_an_ageing_blob_is_written_anew_when_asked_for(seaweedfs: S3Service) -> None:
    bucket, hash_ = open_bucket(seaweedfs), hashing.of_bytes(b"used")
    S3Blobs(bucket).put(hash_, b"used")
    before = obstore.head(bucket.store, names.blob_name(hash_))["last_modified"]
    clock = FakeClock(before.timestamp() + 600)
    store = S3Blobs(bucket, window=1000.0, clock=clock)
    # The server tells the time in whole seconds.
    threading.Event().wait(1.1)

    young = S3Blobs(bucket, window=10_000.0, clock=clock).find_missing([hash_])
    unchanged = obstore.head(bucket.store, names.blob_name(hash_))["last_modified"]
    store.touch([hash_])
    after = obstore.head(bucket.store, names.blob_name(hash_))["last_modified"]

    assert young == set()
    assert unchanged == before
    assert after > before
    assert store.get(hash_) == b"used"


def test_a_wrong_key_is_named_without_its_secret(seaweedfs: S3Service) -> None:
    secret = "very-secret-" + secrets.token_hex(8)
    bucket = Bucket(seaweedfs.url("x"), endpoint=seaweedfs.endpoint, keys=Keys(seaweedfs.access_key, secret))
    hash_ = hashing.of_bytes(b"x")

    for call in (
        lambda: S3Blobs(bucket).get(hash_),
        lambda: S3Blobs(bucket).put(hash_, b"x"),
        lambda: S3Blobs(bucket).find_missing([hash_]),
        lambda: S3Refs(bucket).read(POINTER),
        lambda: S3Refs(bucket).swap(POINTER, b"x", None),
        lambda: S3Refs(bucket).names(""),
        lambda: probe(Bucket("s3://other", endpoint=seaweedfs.endpoint, keys=Keys(seaweedfs.access_key, secret))),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        text = f"{caught.value} {caught.value.at} {caught.value.why} {caught.value.fix}"
        assert "AWS_SECRET_ACCESS_KEY" in text
        assert seaweedfs.endpoint in text
        assert secret not in text
    assert secret not in repr(bucket) + repr(Keys("a", secret))


def test_a_server_that_is_gone_is_named_within_bounds(tmp_path: Path) -> None:
    clock = FakeClock()
    bucket = Bucket("s3://builds/x", endpoint="http://127.0.0.1:9", keys=Keys("a", "b"))

    with pytest.raises(StoreUnavailable) as read:
        S3Refs(bucket, clock=clock).read(POINTER)
    with pytest.raises(StoreUnavailable) as swapped:
        S3Refs(bucket, clock=clock).swap(POINTER, b"x", None)

    assert "127.0.0.1:9" in str(read.value) and "builds" in str(read.value)
    assert "127.0.0.1:9" in str(swapped.value)
    assert 0 < sum(clock.slept) < 60


def test_a_server_that_comes_back_is_found_again(tmp_path: Path) -> None:
    with running_seaweedfs(tmp_path) as service:
        bucket = open_bucket(service)
        blobs, refs = S3Blobs(bucket), S3Refs(bucket)
        assert service.server is not None
        tag = refs.swap(POINTER, b"1", None)

        os.kill(service.server.pid, signal.SIGSTOP)
        timer = threading.Timer(2.0, os.kill, (service.server.pid, signal.SIGCONT))
        timer.start()
        try:
            hash_ = hashing.of_bytes(b"late")
            blobs.put(hash_, b"late")
            refs.swap(POINTER, b"2", tag)
        finally:
            timer.join()

        assert blobs.get(hash_) == b"late"
        record = refs.read(POINTER)
        assert record is not None and record.data == b"2"


def test_of_two_that_swap_through_different_processes_one_wins(seaweedfs: S3Service) -> None:
    bucket = open_bucket(seaweedfs)
    first, second = S3Refs(bucket), S3Refs(bucket)
    tag = first.swap(POINTER, b"1", None)

    first.swap(POINTER, b"2", tag)

    with pytest.raises(Conflict):
        second.swap(POINTER, b"3", tag)


def test_the_copy_in_the_bucket_follows_and_restores_what_redis_forgot(valkey: Server, rclone_s3: S3Service) -> None:
    inner, space = S3Refs(open_bucket(rclone_s3)), secrets.token_hex(6)
    refs = RedisRefs(valkey.url, inner, space=space)
    tag = refs.swap(POINTER, b"1", None, fence=3)
    tag = refs.swap(POINTER, b"2", tag, fence=3)

    copy = inner.read(POINTER)
    forgetful = RedisRefs(valkey.url, inner, space=secrets.token_hex(6))
    restored = forgetful.read(POINTER)
    forgetful.swap(POINTER, b"3", tag)

    assert copy is not None and copy.data == b"2"
    assert restored == (b"2", tag)
    after = forgetful.read(POINTER)
    assert after is not None and after.data == b"3"


def test_a_broker_that_is_gone_is_named_without_its_password(tmp_path: Path, rclone_s3: S3Service) -> None:
    inner = S3Refs(open_bucket(rclone_s3))
    with running_valkey(tmp_path) as server:
        pass
    refs = RedisRefs(f"redis://user:hunter2@127.0.0.1:{server.port}/0", inner, space="x", clock=FakeClock())

    with pytest.raises(StoreUnavailable) as caught:
        refs.swap(POINTER, b"1", None)

    assert str(server.port) in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.at} {caught.value.why}"


def test_settings_with_a_good_bucket_swap_in_it(
    seaweedfs: S3Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweedfs.environment().items():
        monkeypatch.setenv(name, value)
    settings = settings_for(seaweedfs, tmp_path, "good")
    stores = open_stores(settings)

    before = stores.conditional
    stores.refs.swap(POINTER, b"1", None)
    data = os.urandom(1000)
    hash_ = hashing.of_bytes(data)
    stores.blobs.put(hash_, data)
    DiskBlobs(tmp_path / "cache" / "store").delete(hash_)
    again = open_stores(settings)
    got = again.blobs.get(hash_)

    assert before == "not probed yet"
    assert stores.conditional == again.conditional == "conditional writes of the bucket"
    assert got == data
    assert (stores.bytes_up, again.bytes_down) == (1000, 1000)
    assert again.local.get(hash_) == data


def test_settings_with_a_bucket_that_ignores_conditions_swap_in_redis(
    valkey: Server, rclone_s3: S3Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in rclone_s3.environment().items():
        monkeypatch.setenv(name, value)
    prefix = secrets.token_hex(4)
    stores = open_stores(settings_for(rclone_s3, tmp_path, prefix, valkey.url))

    def swap(number: int) -> bool:
        try:
            stores.refs.swap(POINTER, b"%d" % number, None)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(swap, range(16)))

    assert won.count(True) == 1
    assert stores.conditional == "compare-and-set in Redis"
    with pytest.raises(FarmError) as caught:
        open_stores(settings_for(rclone_s3, tmp_path, prefix)).refs.swap(POINTER, b"x", None)
    assert "[farm]" in caught.value.fix
    record = open_stores(settings_for(rclone_s3, tmp_path, prefix)).refs.read(POINTER)
    assert record is not None and record.data == b"%d" % won.index(True)
