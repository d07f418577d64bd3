"""Rate keys on a real broker: they bind all builds that share it, and what a dead build held comes free by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from cli import servers
from cli.servers import Server
from coordinator.dispatch.permits import RedisPermits
from shared.errors import BrokerUnavailable
from tests.fakes.clock import FakeClock
from tests.scenarios.film import Film, paint
from tests.services import running_valkey
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

KEY = "windrow:rate:voice"


class Shared:
    """Builds that have one broker. clock: of all of them, for what they do by themselves."""

    def __init__(self, url: str) -> None:
        self.url, self.clock = url, FakeClock()
        self.client = redis.Redis.from_url(url)
        self.client.delete(KEY)
        self.opened: list[RedisPermits] = []

    def build(self, name: str, limit: int = 2, lease: float = 60.0) -> RedisPermits:
        self.opened.append(RedisPermits(self.url, {"voice": limit}, build=name, clock=self.clock, lease=lease))
        return self.opened[-1]

    @property
    def holders(self) -> list[str]:
        return sorted(name.decode() for name in self.client.zrange(KEY, 0, -1))


@pytest.fixture
def shared(any_broker: Server) -> Iterator[Shared]:
    made = Shared(any_broker.url)
    yield made
    for one in made.opened:
        one.close()
    made.client.delete(KEY)
    made.client.close()


def test_builds_have_no_more_than_the_limit_together(shared: Shared) -> None:
    one, two = shared.build("one"), shared.build("two")

    taken = [one.take("voice", "a"), two.take("voice", "a"), one.take("voice", "b"), two.take("voice", "b")]

    assert taken == [True, True, False, False]
    assert shared.holders == ["one a", "two a"]


def test_a_key_without_a_free_permit_is_asked_again_after_a_while(shared: Shared) -> None:
    one, two = shared.build("one", limit=1), shared.build("two", limit=1)
    assert (one.take("voice", "a"), two.take("voice", "a")) == (True, False)
    one.give_back("voice", "a")

    assert (tuple(two.again()), two.take("voice", "a")) == ((), False)
    shared.clock.advance(0.3)
    assert (tuple(two.again()), two.take("voice", "a")) == (("voice",), True)


def test_a_request_that_is_sent_twice_takes_one_permit(shared: Shared) -> None:
    one = shared.build("one")

    assert (one.take("voice", "a"), one.take("voice", "a")) == (True, True)
    assert shared.holders == ["one a"]
    one.give_back("voice", "a")
    one.give_back("voice", "a")
    assert shared.holders == []


def test_other_pools_are_not_asked_for(shared: Shared) -> None:
    one = RedisPermits("redis://127.0.0.1:1/0", {"voice": 1}, build="one", clock=shared.clock, patience=0.1)

    assert all(one.take("link", str(number)) for number in range(9))


def test_a_broker_that_is_away_grants_nothing_and_is_asked_again_as_long_as_patience_lasts(
    shared: Shared, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(running_valkey(tmp_path))
        one = RedisPermits(broker.url, {"voice": 1}, build="one", clock=shared.clock, patience=20.0)
        servers.stop(broker)
        assert not one.take("voice", "a")
        shared.clock.advance(15.0)
        assert (tuple(one.again()), one.take("voice", "a")) == (("voice",), False)

        again = servers.start_valkey(tmp_path, port=broker.port)
        stack.callback(servers.stop, again)
        shared.clock.advance(1.0)
        assert (tuple(one.again()), one.take("voice", "a")) == (("voice",), True)
        servers.stop(again)
        assert not one.take("voice", "b")
        shared.clock.advance(20.0)
        one.again()
        with pytest.raises(BrokerUnavailable, match="permits"):
            one.take("voice", "b")
        one.close()


def test_what_a_build_that_died_held_lapses_and_what_lives_is_renewed(shared: Shared) -> None:
    lease = 0.6
    living, other = shared.build("living", limit=2, lease=lease), shared.build("other", limit=2, lease=lease)
    assert living.take("voice", "a")
    dead = shared.build("dead", limit=2, lease=lease)
    assert dead.take("voice", "a")
    assert not other.take("voice", "a")
    dead._stop.set()  # as a process that was killed: it neither renews nor gives back

    def free() -> bool:
        shared.clock.advance(1.0)
        return "voice" in tuple(other.again()) and other.take("voice", "a")

    until(free)
    assert shared.holders == ["living a", "other a"]


def test_a_build_that_ends_gives_back_all_it_holds(shared: Shared) -> None:
    one, two = shared.build("one"), shared.build("two")
    assert [one.take("voice", "a"), one.take("voice", "b")] == [True, True]

    one.close()

    assert shared.holders == []
    assert two.take("voice", "a")


@pytest.mark.slow
def test_two_films_on_one_farm_share_a_rate_key(tmp_path: Path) -> None:
    """R13: of both together never more than the number paint at once, as these count; each film is whole."""
    for folder in ("inside", "counts"):
        (tmp_path / folder).mkdir()
    films = [Film(tmp_path / name, cache=tmp_path / "cache") for name in ("one", "two")]
    for film, name in zip(films, ("one", "two"), strict=True):
        film.write("windrow.toml", film.read("windrow.toml").replace('name = "', f'name = "{name}-', 1))
        film.write("tools/paint.py", paint(1.0))
        config = json.dumps({"inside": str(tmp_path / "inside"), "film": name})
        film.amend("  Image:\n    call: mock.text", f"  Image:\n    call: tools/paint.py:image\n    config: {config}")
        film.amend("image: 4", "image: 1")
    assert films[0].console.run("farm", "up", "--workers", "2", "--write").code == 0
    try:
        assert films[1].console.run("farm", "up", "--workers", "2", "--write").code == 0
        with ThreadPoolExecutor() as pool:
            said = list(pool.map(lambda film: film.console.run("build", "--json"), films))
    finally:
        assert films[0].console.run("farm", "down").code == 0

    counts = [int(path.read_text()) for path in (tmp_path / "counts").iterdir()]
    assert [(one.code, one.json()["failed"]) for one in said] == [(0, 0), (0, 0)], [one.err for one in said]
    assert len(counts) == 2 * sum(1 for path in films[0].outputs_on_disk() if "/Image/" in path)
    assert max(counts) == 1, counts
