"""What a bucket's server may answer besides what was asked for, and what comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from shared import hashing
from shared.errors import BlobCorrupt, StoreUnavailable
from shared.storage import credentials
from shared.storage.credentials import Keys
from shared.storage.s3 import STREAMED, S3Blobs
from shared.storage.s3_client import Bucket, make_bucket
from shared.storage.s3_probe import probe
from shared.storage.s3_refs import S3Refs
from tests.contracts.ref_store import POINTER
from tests.counting_proxy import CountingProxy, Request, counting
from tests.fakes.clock import FakeClock


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    make_bucket("unit", endpoint=endpoint, keys=Keys("key", "secret"))
    yield endpoint
    server.stop()


@pytest.fixture
def proxy(moto: str) -> Iterator[CountingProxy]:
    with counting(moto) as proxy:
        yield proxy


@pytest.fixture
def bucket(proxy: CountingProxy, tmp_path: Path) -> Bucket:
    return Bucket(f"s3://unit/{tmp_path.name}", endpoint=proxy.url, keys=Keys("key", "secret"))


def nth(number: int, method: str, answer: tuple[int, str]) -> Callable[[Request], tuple[int, str] | None]:
    """That answer to the request of a method with this number, from 0."""
    count = itertools.count()
    return lambda asked: answer if asked.method == method and next(count) == number else None


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "InvalidRequest")])
def test_a_server_that_cannot_copy_onto_itself_is_given_an_ageing_blob_again(
    proxy: CountingProxy, bucket: Bucket, tmp_path: Path, status: int, code: str
) -> None:
    hash_, clock = hashing.of_bytes(b"old"), FakeClock()
    store = S3Blobs(bucket, window=1000.0, clock=clock)
    store.put(hash_, b"old")
    # Whatever the server says, by this clock it is long ago.
    clock.advance(10 * 365 * 86400.0)
    proxy.instead = lambda asked: (status, code) if "x-amz-copy-source" in asked.headers else None
    proxy.take()

    assert store.find_missing([hash_]) == set()
    assert proxy.take() == {"HEAD": 1, "PUT": 2, "GET": 1}
    assert store.get(hash_) == b"old"
    assert store.fetch(hash_, tmp_path / "out") == 3


@pytest.mark.parametrize("size", [1000, STREAMED + 1])
def test_what_a_bad_wire_made_of_a_blob_is_not_what_is_stored(
    proxy: CountingProxy, bucket: Bucket, tmp_path: Path, size: int
) -> None:
    data, store = bytes(size), S3Blobs(bucket)
    hash_ = hashing.of_bytes(data)
    store.put(hash_, data)
    count = itertools.count()
    proxy.spoilt = lambda asked, body: body[:-1] if asked.method == "GET" and next(count) == 0 else body

    assert store.fetch(hash_, tmp_path / "out") == size
    assert (tmp_path / "out").read_bytes() == data

    proxy.spoilt = lambda asked, body: body[:-1] if asked.method == "GET" else body
    with pytest.raises(BlobCorrupt):
        store.fetch(hash_, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (429, "TooManyRequests"), (400, "RequestTimeout")])
def test_a_server_that_has_too_much_to_do_is_asked_again(
    proxy: CountingProxy, bucket: Bucket, status: int, code: str
) -> None:
    refs = S3Refs(bucket, clock=FakeClock())
    tag = refs.swap(POINTER, b"1", None)

    proxy.instead = nth(0, "PUT", (status, code))
    tag = refs.swap(POINTER, b"2", tag)
    proxy.instead = nth(0, "GET", (status, code))
    refs.swap(POINTER, b"3", tag)

    record = refs.read(POINTER)
    assert record is not None and record.data == b"3"


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [*((number, 429, "TooManyRequests") for number in range(4)), (1, 403, "AccessDenied"), (1, 400, "RequestTimeout")],
)
def test_a_server_that_refuses_for_another_reason_does_not_honour_conditions_by_that(
    moto: str, number: int, status: int, code: str
) -> None:
    with counting(moto) as proxy:
        opened = Bucket("s3://unit/probed", endpoint=proxy.url, keys=Keys("key", "secret"))
        proxy.instead = nth(number, "PUT", (status, code))

        with pytest.raises(StoreUnavailable) as caught:
            probe(opened)
        assert caught.value.why == code
        proxy.instead = lambda _: None
        assert probe(opened).conditional


def test_a_server_that_has_no_conditional_writes_is_found_out(moto: str) -> None:
    with counting(moto) as proxy:
        opened = Bucket("s3://unit/probed", endpoint=proxy.url, keys=Keys("key", "secret"))
        proxy.instead = lambda asked: (501, "NotImplemented") if "if-none-match" in asked.headers else None

        assert not probe(opened).conditional


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "InvalidAccessKeyId"])
def test_keys_that_were_replaced_in_their_file_are_used_from_then_on(
    proxy: CountingProxy, tmp_path: Path, code: str
) -> None:
    file = tmp_path / "credentials"
    credentials.write(file, Keys("old", "secret"))
    opened = Bucket(f"s3://unit/{tmp_path.name}", endpoint=proxy.url, keys=file)
    blobs, refs, hash_ = S3Blobs(opened), S3Refs(opened, clock=FakeClock()), hashing.of_bytes(b"x")
    blobs.put(hash_, b"x")
    tag = refs.swap(POINTER, b"1", None)
    proxy.instead = lambda asked: (403, code) if "Credential=old/" in asked.headers["authorization"] else None
    for call in (lambda: blobs.get(hash_), lambda: refs.swap(POINTER, b"2", tag)):
        with pytest.raises(StoreUnavailable, match="unit") as caught:
            call()
        assert str(file) in caught.value.fix

    credentials.write(file, Keys("new", "secret"))

    assert blobs.get(hash_) == b"x"
    refs.swap(POINTER, b"2", tag)
