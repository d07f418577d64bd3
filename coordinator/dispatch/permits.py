"""Permits: of a rate key no more jobs run than its limit, in all builds that share a broker.

A permit is held from when a job is handed over until its outcome, so it covers every try, whichever worker has it.
It lapses when the build that holds it no longer renews it. See docs/design/queue.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from coordinator.broker import PATIENCE, Broker
from shared.clock import Clock
from shared.errors import BrokerUnavailable

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script

# Longer than workers go on with the jobs of a build that died: until then these count.
LEASE_SECONDS = 130.0
ASK_SECONDS = 0.25  # between two times that a key without a free permit is asked
_TRIES = 3
_NOW = "local t = redis.call('TIME')\nlocal now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

# KEYS: the holders of a key, a sorted set by when they lapse. ARGV: holder, limit, lease in ms. May be sent twice.
_TAKE = f"""{_NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

# KEYS: as above. ARGV: lease in ms, holders. One that lapsed meanwhile runs all the same, so it counts again.
_RENEW = f"""{_NOW}
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""


class Permits(Protocol):
    """What bounds pools beyond this build."""

    def take(self, pool: str, job: str) -> bool:
        """Whether a job of a pool may be handed over."""
        ...

    def give_back(self, pool: str, job: str) -> None:
        """A job that was handed over has its outcome."""
        ...

    def again(self) -> Iterable[str]:
        """The pools whose jobs were refused and may be tried again."""
        ...


class Unbounded:
    """Permits without end."""

    def take(self, pool: str, job: str) -> bool:
        """See Permits."""
        return True

    def give_back(self, pool: str, job: str) -> None:
        """See Permits."""

    def again(self) -> Iterable[str]:
        """See Permits."""
        return ()


class RedisPermits:
    """See Permits. limits: rate key to how many; other pools are not bounded here. lease, patience: seconds.

    One thread takes and gives back; another one renews. While the broker is away nothing is granted; `take` raises
    BrokerUnavailable once it was for longer than `patience`.
    """

    def __init__(
        self,
        broker: str,
        limits: Mapping[str, int],
        *,
        build: str,
        clock: Clock,
        lease: float = LEASE_SECONDS,
        patience: float = PATIENCE,
    ) -> None:
        self._broker, self._limits, self._build, self._clock = Broker(broker, clock, patience), limits, build, clock
        self._lease, self._patience = lease, patience
        self._away: float | None = None  # since when the broker does not answer
        self._scripts: dict[str, Script] = {}
        self._asked: dict[str, float] = {}
        self._guard = threading.Lock()  # guards the next
        self._held: dict[str, set[str]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_all, name="rate-permits", daemon=True)

    def take(self, pool: str, job: str) -> bool:
        """See Permits."""
        if pool not in self._limits:
            return True
        if pool in self._asked:
            return False
        if not self._granted(pool, job):
            self._asked[pool] = self._clock.monotonic()
            return False
        with self._guard:
            self._held.setdefault(pool, set()).add(job)
        if not self._thread.ident:
            self._thread.start()
        return True

    def _granted(self, pool: str, job: str) -> bool:
        try:
            lease = round(self._lease * 1000)
            granted = bool(self._run(_TAKE, pool, self._holder(job), self._limits[pool], lease))
        except BrokerUnavailable:
            # It is asked again soon, and the build goes on meanwhile.
            now = self._clock.monotonic()
            self._away = now if self._away is None else self._away
            if now - self._away >= self._patience:
                raise
            return False
        self._away = None
        return granted

    def give_back(self, pool: str, job: str) -> None:
        """See Permits; where the broker does not answer, it lapses."""
        with self._guard:
            if job not in self._held.get(pool, ()):
                return
            self._held[pool].discard(job)
            with suppress(BrokerUnavailable):
                self._broker.call(lambda client: client.zrem(_key(pool), self._holder(job)), "")

    def again(self) -> Iterable[str]:
        """See Permits."""
        now = self._clock.monotonic()
        due = [pool for pool, asked in self._asked.items() if now - asked >= ASK_SECONDS]
        for pool in due:
            del self._asked[pool]
        return due

    def close(self) -> None:
        """Give all back, release the connections."""
        self._stop.set()
        # A broker that is away now has been waited for.
        self._broker.hurry()
        if self._thread.ident:
            self._thread.join()
        for pool, jobs in self._held.items():
            for job in tuple(jobs):
                self.give_back(pool, job)
        self._broker.close()

    def _renew_all(self) -> None:
        while not self._stop.wait(self._lease / 3):
            # Held meanwhile: what is given back must not be put there again.
            with self._guard, suppress(BrokerUnavailable):
                for pool, jobs in self._held.items():
                    if jobs:
                        self._run(_RENEW, pool, round(self._lease * 1000), *map(self._holder, sorted(jobs)))

    def _holder(self, job: str) -> str:
        return f"{self._build} {job}"

    def _run(self, script: str, pool: str, *arguments: str | int) -> Any:
        def call(client: Redis) -> Any:
            if script not in self._scripts:
                self._scripts[script] = client.register_script(script)
            return self._scripts[script](keys=[_key(pool)], args=arguments, client=client)

        return self._broker.call(call, "the permits of rate keys cannot be reached", times=_TRIES)


def _key(pool: str) -> str:
    return f"windrow:rate:{pool}"
