"""The messages of the farm: what is packed comes out again, and what is not ours is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import queue
from shared.envelope import read_envelope, unpack
from shared.errors import BlobMissing, ConfigError, CorruptRecord
from shared.model.action import Action
from shared.model.job import JobOrder, JobOutcome
from shared.queue import Beat, Claimed, Ended, Refused, Returned, Running


class Blobs:
    """Blobs in a dictionary; the part that messages use."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    def get(self, hash_: str) -> bytes:
        if hash_ not in self.stored:
            raise BlobMissing(hash_)
        return self.stored[hash_]

    def put(self, hash_: str, data: bytes) -> int:
        self.stored[hash_] = data
        return len(data)


def orders(count: int = 1, text: str = "", platform: str = "linux") -> list[JobOrder]:
    action = Action("command", ("cc", text), (), ("out",), None, platform, (), ())
    return [JobOrder("b1", f"j{n}", 1, action, 60.0) for n in range(count)]


def envelope(**changes: object) -> dict[str, object]:
    fields = {"schema": "windrow.orders/1", "build": "b1", "batch": 1, "platform": "linux", "budget": 1.0}
    return {name: value for name, value in (fields | changes).items() if value is not ...}


@given(count=st.integers(1, 5), text=st.text(max_size=50))
def test_what_is_packed_comes_out_again(count: int, text: str) -> None:
    blobs = Blobs()
    given_orders = orders(count, text)

    head, body = queue.pack(given_orders, build="b1", batch=7, budget=1.0, blobs=blobs)  # type: ignore[arg-type]

    assert unpack(read_envelope(head), body, blobs) == tuple(given_orders)  # type: ignore[arg-type]
    assert blobs.stored == {}


def test_long_orders_travel_as_a_blob_of_their_digest() -> None:
    blobs = Blobs()
    given_orders = orders(2, "x" * queue.MAX_INLINE)

    head, body = queue.pack(given_orders, build="b1", batch=7, budget=1.0, blobs=blobs)  # type: ignore[arg-type]

    assert (list(blobs.stored), body) == ([head["blob"]], "")
    assert unpack(read_envelope(head), body, blobs) == tuple(given_orders)  # type: ignore[arg-type]


def test_a_blob_that_is_gone_is_told() -> None:
    head, body = queue.pack(orders(1, "x" * queue.MAX_INLINE), build="b1", batch=7, budget=1.0, blobs=Blobs())  # type: ignore[arg-type]

    with pytest.raises(BlobMissing):
        unpack(read_envelope(head), body, Blobs())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "windrow.orders/2"},
        {"schema": ...},
        {"extra": 1},
        {"build": "../../etc"},
        {"build": ""},
        {"build": "b" * 200},
        {"batch": 0},
        {"batch": "1"},
        {"batch": True},
        {"budget": 0.0},
        {"budget": float("nan")},
        {"blob": "sha256:short"},
        {"platform": None},
    ],
    ids=str,
)
def test_an_envelope_that_is_not_ours_is_refused(wrong: dict[str, object]) -> None:
    """X-07 among them: a worker takes no orders of a version that it does not know."""
    with pytest.raises(CorruptRecord):
        read_envelope(envelope(**wrong))


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object_is_no_envelope(value: object) -> None:
    with pytest.raises(CorruptRecord):
        read_envelope(value)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"build": "b1"}]', "[" * 100_000, "x" * (queue.MAX_MESSAGE + 1)], ids=len
)
def test_orders_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(CorruptRecord):
        unpack(read_envelope(envelope()), text, Blobs())  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"build": "b2"}, {"platform": "arm"}])
def test_orders_of_another_build_or_platform_are_refused(changes: dict[str, object]) -> None:
    text = msgspec.json.encode(orders()).decode()

    with pytest.raises(CorruptRecord, match="another build or platform"):
        unpack(read_envelope(envelope(**changes)), text, Blobs())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "event",
    [
        Claimed(1, "w"),
        Ended(1, (JobOutcome("a", 1, "failed"),)),
        Returned(1, ("a",)),
        Refused(1, "w", "no"),
        queue.Closing(),
    ],
    ids=lambda event: type(event).__name__,
)
def test_events_come_out_as_they_went_in(event: queue.Event) -> None:
    assert queue.read_event(queue.write_event(event)) == event


def test_an_event_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(CorruptRecord):
        queue.read_event(b'{"event": "celebrated"}')


def test_a_heartbeat_of_another_version_counts_as_none() -> None:
    beat = Beat("w", "host", 1, 2, "0.1", "2026-11-21T00:00:00.000Z", ("linux",), {}, (Running("b1", 3, 2, "a", 1),))

    assert queue.read_beats([None, b'{"id": 5}', b"nonsense", msgspec.json.encode(beat)]) == [beat]


@pytest.mark.parametrize(
    "url", ["", "redis", "http://host", "redis://", "redis://host:port", "redis://host:99999", "unix:///run/x"]
)
def test_a_url_that_is_no_broker_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError):
        queue.check_url(url)


def test_a_password_is_not_shown() -> None:
    shown = queue.redacted("rediss://user:pa:ss@w@host:6379/0")

    assert shown == "rediss://user:***@host:6379/0"


def test_a_broker_url_with_a_password_in_a_wrong_form_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        queue.check_url("http://:secret@host")

    assert "secret" not in caught.value.what


def test_carried_files_travel_as_long_as_the_orders_fit_into_a_message() -> None:
    blobs = Blobs()
    few = [msgspec.structs.replace(one, carried={"sha256:1": b"\x00\xff"}) for one in orders(2)]
    many = [msgspec.structs.replace(one, carried={"sha256:1": b"x" * (queue.MAX_INLINE // 4)}) for one in orders(4)]

    unpacked = []
    for given_orders in (few, many):
        head, body = queue.pack(given_orders, build="b1", batch=1, budget=1.0, blobs=blobs)  # type: ignore[arg-type]
        unpacked.append(unpack(read_envelope(head), body, blobs))  # type: ignore[arg-type]

    assert unpacked == [tuple(few), tuple(orders(4))]
    assert blobs.stored == {}
