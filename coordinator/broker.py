"""Broker: calls to Redis that end in time, and whose failures have a name; for the lock and the live event log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared.clock import Clock
from shared.errors import BrokerUnavailable

if TYPE_CHECKING:
    from redis import Redis

_PAUSE = 0.2


class Broker:
    """A client made when it is first needed. Thread-safe."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self._client: Redis | None = None

    def call(self, do: Callable[[Redis], Any], trouble: str, *, tries: int = 1) -> Any:
        """What `do` gives; BrokerUnavailable, beginning with `trouble`, when the broker does not answer.

        Give `tries` above 1 only for what may be done twice.
        """
        from redis.exceptions import ConnectionError as Disconnected  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415
        from redis.exceptions import TimeoutError as TimedOut  # noqa: PLC0415

        from shared.queue import connect, redacted  # noqa: PLC0415

        while True:
            tries -= 1
            try:
                if self._client is None:
                    self._client = connect(self._url)
                return do(self._client)
            except RedisError as error:
                if tries > 0 and isinstance(error, Disconnected | TimedOut):
                    self._clock.sleep(_PAUSE)
                    continue
                raise BrokerUnavailable(
                    trouble,
                    at=redacted(self._url),
                    why=f"{type(error).__name__}: {error}",
                    fix="check that the broker runs: windrow doctor",
                ) from error

    def close(self) -> None:
        """Release the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
