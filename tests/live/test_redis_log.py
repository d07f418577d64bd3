"""RedisLog on a real Valkey server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from cli import servers
from cli.servers import Server
from coordinator.history.redis_log import RedisLog
from shared.clock import SystemClock
from shared.errors import BrokerUnavailable
from tests.contracts.event_log import EventLogContract, OpenLog, source
from tests.fakes.clock import FakeClock
from tests.services import RestartedLater, running_valkey

pytestmark = pytest.mark.live

PLACE = "projects/log-test/main"


@pytest.fixture
def open_log(any_broker: Server) -> Iterator[OpenLog]:
    client = redis.Redis.from_url(any_broker.url)
    client.delete("windrow:events:log-test/main")
    client.close()
    opened: list[RedisLog] = []

    def open_again() -> RedisLog:
        opened.append(RedisLog(any_broker.url, PLACE, SystemClock()))
        return opened[-1]

    yield open_again
    for log in opened:
        log.close()


class TestRedisLog(EventLogContract):
    """The contract on a stream."""


def test_a_long_log_is_read_in_pages(open_log: OpenLog) -> None:
    events = [source(str(number)) for number in range(2500)]
    open_log().append(events)

    assert [entry.event for entry in open_log().read()] == events


def test_a_log_that_nothing_is_added_to_any_more_is_forgotten_in_time(open_log: OpenLog, any_broker: Server) -> None:
    open_log().append([source("a.c")])

    with redis.Redis.from_url(any_broker.url) as client:
        assert 29 * 86400 < client.ttl("windrow:events:log-test/main") <= 30 * 86400


def test_what_is_added_while_the_broker_starts_again_waits_for_it(tmp_path: Path) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(running_valkey(tmp_path))
        log = RedisLog(broker.url, PLACE, RestartedLater(broker, tmp_path, stack), patience=30.0)
        servers.stop(broker)

        log.append([source("a.c")])

        assert [entry.event for entry in log.read()] == [source("a.c")]
        log.close()


def test_a_broker_out_of_reach_is_named() -> None:
    with pytest.raises(BrokerUnavailable, match="event log"):
        list(RedisLog("redis://127.0.0.1:1/0", PLACE, FakeClock()).read())
