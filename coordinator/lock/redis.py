"""RedisLock: BuildLock on the broker; scripts that may be sent twice, an expiring record, a counter for fences."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from coordinator.broker import PATIENCE, Broker
from coordinator.lock.lease import LEASE_SECONDS, Holder, Lease, take
from coordinator.lock.renewal import Renewal, RenewedLease
from shared import failpoint
from shared.clock import Clock, iso
from shared.errors import BrokerUnavailable, CorruptRecord

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script

POLL_SECONDS = 0.25
_TRIES = 3

# Each script names the holding by its nonce, so that sending it again after a lost reply does no harm.
# KEYS: lock, fence. ARGV: nonce, holder, lease in ms, at_least, time, nonce of a holder known to be dead.
_ACQUIRE = """
local nonce = redis.call('HGET', KEYS[1], 'nonce')
if nonce and nonce ~= ARGV[1] and nonce ~= ARGV[6] then
  return {0, redis.call('HGET', KEYS[1], 'holder'), redis.call('HGET', KEYS[1], 'fence'),
          redis.call('HGET', KEYS[1], 'since'), redis.call('HGET', KEYS[1], 'renewed')}
end
if nonce ~= ARGV[1] then
  local fence = redis.call('INCR', KEYS[2])
  local least = math.max(tonumber(ARGV[4]), tonumber(redis.call('HGET', KEYS[1], 'fence') or 0))
  if fence <= least then
    fence = least + 1
    redis.call('SET', KEYS[2], string.format('%.0f', fence))
  end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'holder', ARGV[2], 'fence', string.format('%.0f', fence),
             'since', ARGV[5], 'renewed', ARGV[5])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1, ARGV[2], redis.call('HGET', KEYS[1], 'fence'), redis.call('HGET', KEYS[1], 'since'), ARGV[5]}
"""

# KEYS: lock, fence. ARGV: nonce, holder, lease in ms, fence, time, since. An absent record with our number still
# the last was taken by nobody (the broker came back empty): put it back.
_RENEW = """
local nonce = redis.call('HGET', KEYS[1], 'nonce')
if nonce ~= ARGV[1] then
  if nonce or tonumber(redis.call('GET', KEYS[2]) or 0) > tonumber(ARGV[4]) then return 0 end
  redis.call('SET', KEYS[2], ARGV[4])
  redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'holder', ARGV[2], 'fence', ARGV[4], 'since', ARGV[6])
end
redis.call('HSET', KEYS[1], 'renewed', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

# KEYS: lock, fence, the call that ended a holding last. ARGV: nonce, name of this call. The counter moves on, so
# that a renewal that comes late does not put the record back.
_SEIZE = """
if redis.call('HGET', KEYS[1], 'nonce') == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('INCR', KEYS[2])
  redis.call('SET', KEYS[3], ARGV[2], 'PX', 60000)
  return 1
end
return redis.call('GET', KEYS[3]) == ARGV[2] and 1 or 0
"""


class RedisLock:
    """See BuildLock; BrokerUnavailable when the broker does not answer.

    place: what is locked, e.g. `projects/hello/main`. lease and patience: seconds.
    """

    def __init__(
        self, broker: str, place: str, clock: Clock, *, lease: float = LEASE_SECONDS, patience: float = PATIENCE
    ) -> None:
        self._broker, self._clock, self._lease = Broker(broker, clock, patience), clock, lease
        self._patience = patience
        # The braces keep the keys together on a cluster.
        self._keys = [f"windrow:{kind}:{{{place}}}" for kind in ("lock", "fence", "unlocked")]
        self._scripts: dict[str, Script] = {}

    def acquire(self, holder: Holder, *, wait: float | None = 0.0, at_least: int = 0) -> Lease:
        """See BuildLock; who waits for another holder waits for a broker that is away meanwhile, too."""
        met: Holder | None = None
        away: float | None = None

        def attempt() -> Lease | Holder:
            nonlocal met, away
            try:
                answer = self._attempt(holder, at_least, dead="")
            except BrokerUnavailable:
                now = self._clock.monotonic()
                away = now if away is None else away
                if met is None or now - away >= self._patience:
                    raise
                return met
            met, away = answer if isinstance(answer, Holder) else None, None
            return answer

        return take(attempt, self._clock, wait, POLL_SECONDS)

    def current(self) -> Holder | None:
        """See BuildLock."""
        fields = self._broker.call(lambda client: client.hgetall(self._keys[0]), "the build lock cannot be reached")
        if not fields:
            return None
        holder = _holder(fields[b"holder"], fields[b"fence"], fields[b"since"], fields[b"renewed"])
        return None if holder.gone() else holder

    def seize(self, nonce: str) -> bool:
        """See BuildLock."""
        return bool(self._run(_SEIZE, nonce, uuid.uuid4().hex))

    def renew(self, holder: Holder) -> bool:
        """Note that the holder lives; False once the lock is another's."""
        now = iso(self._clock.now())
        return bool(self._run(_RENEW, holder.nonce, _text(holder), self._lease_ms, holder.fence, now, holder.since))

    def hurry(self) -> None:
        """Wait for the broker no longer than a second: it is known not to answer."""
        self._broker.hurry()

    def close(self) -> None:
        """Release the connections."""
        self._broker.close()

    def _attempt(self, asking: Holder, at_least: int, dead: str) -> Lease | Holder:
        now = iso(self._clock.now())
        arguments = (asking.nonce, _text(asking), self._lease_ms, at_least, now, dead)
        granted, text, fence, since, renewed = self._run(_ACQUIRE, *arguments)
        holder = _holder(text, fence, since, renewed)
        if granted:
            return _RedisLease(self, holder, Renewal(lambda: self.renew(holder), self._clock, self._lease))
        if holder.gone() and not dead:
            # Only this very holding is replaced: another contender may have been here before.
            return self._attempt(asking, at_least, dead=holder.nonce)
        return holder

    @property
    def _lease_ms(self) -> int:
        return round(self._lease * 1000)

    def _run(self, script: str, *arguments: str | int) -> Any:
        def call(client: Redis) -> Any:
            if script not in self._scripts:
                self._scripts[script] = client.register_script(script)
            return self._scripts[script](keys=self._keys, args=arguments, client=client)

        return self._broker.call(call, "the build lock cannot be reached", times=_TRIES)


class _RedisLease(RenewedLease):
    def __init__(self, lock: RedisLock, holder: Holder, renewal: Renewal) -> None:
        super().__init__(holder, renewal)
        self._lock = lock

    def release(self, *, hurry: bool = False) -> bool:
        failpoint.hit("lock.before-release")
        if hurry:
            self._lock.hurry()
        self.renewal.stop()
        try:
            return self._lock.seize(self.holder.nonce)
        except BrokerUnavailable:
            # Out of reach, it lapses with its lease; that is what False says.
            return False


def _text(holder: Holder) -> str:
    return msgspec.json.encode(holder).decode()


def _holder(text: bytes | str, fence: bytes, since: bytes, renewed: bytes | str) -> Holder:
    try:
        holder = msgspec.json.decode(text, type=Holder)
    except msgspec.MsgspecError as error:
        what = "the holder of the build lock cannot be read"
        raise CorruptRecord(what, why=str(error), fix="windrow lock break") from error
    return msgspec.structs.replace(
        holder,
        fence=int(fence),
        since=since.decode(),
        renewed=renewed.decode() if isinstance(renewed, bytes) else renewed,
    )
