"""Broker: calls to Redis that end in time, and whose failures have a name; for the lock and the live event log."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared.clock import Clock
from shared.errors import BrokerUnavailable
from shared.patience import LEAST, tries

if TYPE_CHECKING:
    from redis import Redis

_PAUSE = 0.2
PATIENCE = 60.0


class Broker:
    """A client made when it is first needed. Thread-safe. patience: seconds without an answer until a call fails."""

    def __init__(self, url: str, clock: Clock, patience: float = PATIENCE) -> None:
        self._url, self._clock, self._patience = url, clock, patience
        self._client: Redis | None = None

    def call(self, do: Callable[[Redis], Any], trouble: str, *, times: int | None = 1) -> Any:
        """What `do` gives; BrokerUnavailable, beginning with `trouble`, when the broker does not answer.

        Give `times` above 1 only for what may be done twice; None for as often as patience lasts.
        """
        from redis.exceptions import AuthenticationError, RedisError  # noqa: PLC0415
        from redis.exceptions import ConnectionError as Disconnected  # noqa: PLC0415
        from redis.exceptions import TimeoutError as TimedOut  # noqa: PLC0415

        from shared.queue import connect, redacted  # noqa: PLC0415

        failure = RedisError("the broker was not asked")
        pauses = itertools.repeat(_PAUSE) if times is None else (times - 1) * (_PAUSE,)
        for _ in tries(self._clock, self._patience, pauses):
            try:
                # Another thread may close it meanwhile.
                client = self._client
                if client is None:
                    client = self._client = connect(self._url, self._patience)
                return do(client)
            except RedisError as error:
                failure = error
                if isinstance(error, AuthenticationError) or not isinstance(error, Disconnected | TimedOut):
                    break
        raise BrokerUnavailable(
            trouble,
            at=redacted(self._url),
            why=f"{type(failure).__name__}: {failure}",
            fix="check the password in the broker's URL"
            if isinstance(failure, AuthenticationError)
            else "check that the broker runs: windrow doctor",
        ) from failure

    def hurry(self) -> None:
        """Wait for a second at most from now on: it is known not to answer."""
        self._patience = LEAST
        self.close()

    def close(self) -> None:
        """Release the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
