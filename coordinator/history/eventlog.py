"""EventLog protocol: the append-only record of what happened; audit, never the truth. Format: docs/design/events.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from shared import canonical
from shared.errors import CorruptRecord
from shared.model.event import ArtefactEvent, Event

Kind = Literal["inputs", "artefacts"]
KINDS: tuple[Kind, Kind] = ("inputs", "artefacts")
_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Entry(NamedTuple):
    """An event, and the cursor from which to read on after it."""

    cursor: str
    event: Event


class EventLog(Protocol):
    """Events not archived yet. Appending never loses or mixes lines, whoever else appends. Thread-safe.

    Raises BrokerUnavailable or LocalError when the place it is kept in fails.
    """

    def append(self, events: Sequence[Event]) -> None:
        """Add events at the end, in order."""
        ...

    def read(self, since: str = "") -> Iterator[Entry]:
        """The events after a cursor; CorruptRecord names the place of one that cannot be read."""
        ...

    def trim(self, upto: str) -> None:
        """Forget the events up to and with this cursor; cursors stay good."""
        ...


def kind_of(event: Event) -> Kind:
    """Which file of the archive an event belongs to."""
    return "artefacts" if isinstance(event, ArtefactEvent) else "inputs"


def encode(event: Event) -> bytes:
    """An event as one line, without its end."""
    return canonical.encode(event)


def decode(line: bytes, at: str) -> Event:
    """The event of a line; CorruptRecord names the place, `at`."""
    try:
        return _DECODER.decode(line)
    except msgspec.MsgspecError as error:
        raise CorruptRecord("an event cannot be read", at=at, why=str(error), fix="mend or remove that line") from error


def lines(events: Iterable[Event]) -> bytes:
    """Events as JSON lines."""
    return b"".join(encode(event) + b"\n" for event in events)


def of_lines(data: bytes, at: str) -> list[Event]:
    """The events of JSON lines; CorruptRecord names the line, after `at`."""
    return [decode(line, f"{at}:{number}") for number, line in enumerate(data.splitlines(), 1)]
