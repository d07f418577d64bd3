"""RedisLog: EventLog on a stream of the broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from coordinator.broker import PATIENCE, Broker
from coordinator.history.eventlog import Entry, decode, encode
from shared.clock import Clock
from shared.model.event import Event

if TYPE_CHECKING:
    from redis import Redis

_PAGE = 1000
# A project whose builds never commit must not fill the broker's memory.
_LIMIT = 500_000
# Nor must all the branches that nobody builds any more.
_LIFE = 30 * 86400
_TROUBLE = "the event log cannot be reached"


class RedisLog:
    """See EventLog. place: whose log it is, e.g. `projects/hello/main`; cursors are ids of the stream."""

    def __init__(self, broker: str, place: str, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._broker = Broker(broker, clock, patience)
        self._key = f"windrow:events:{place.removeprefix('projects/')}"

    def append(self, events: Sequence[Event]) -> None:
        """See EventLog."""

        def add(client: Redis) -> Any:
            pipe = client.pipeline(transaction=True)
            for event in events:
                pipe.xadd(self._key, {"event": encode(event)}, maxlen=_LIMIT, approximate=True)
            pipe.expire(self._key, _LIFE)
            return pipe.execute()

        if events:
            # Waited for as everywhere in a build. What was added twice, since a reply was lost, is archived once.
            self._broker.call(add, _TROUBLE, times=None)

    def read(self, since: str = "") -> Iterator[Entry]:
        """See EventLog."""
        while True:
            page = self._page(since)
            for id_, fields in page:
                since = id_.decode()
                yield Entry(since, decode(fields.get(b"event", b""), f"{self._key} {since}"))
            if len(page) < _PAGE:
                return

    def trim(self, upto: str) -> None:
        """See EventLog."""
        time, _, number = upto.partition("-")
        first_kept = f"{time}-{int(number) + 1}"
        self._broker.call(
            lambda client: client.xtrim(self._key, minid=first_kept, approximate=False), _TROUBLE, times=3
        )

    def close(self) -> None:
        """Release the connections."""
        self._broker.close()

    def _page(self, since: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        begin = f"({since}" if since else "-"
        page: list[tuple[bytes, dict[bytes, bytes]]] = self._broker.call(
            lambda client: client.xrange(self._key, min=begin, count=_PAGE), _TROUBLE, times=3
        )
        return page
