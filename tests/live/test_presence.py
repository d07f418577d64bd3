"""Presence and the worker's link, against a real broker and with a clock moved by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from cli.servers import Server
from shared import queue
from shared.errors import ToolMissing
from shared.model.action import Action
from shared.model.job import JobOrder
from shared.queue import Beat, Claimed
from tests.fakes.clock import FakeClock
from workers.fitness import FRESH_SECONDS, RECHECK_SECONDS, Fitness
from workers.ledger import Ledger
from workers.link import WorkerLink
from workers.presence import DEAD_SECONDS, ORPHAN_SECONDS, Presence

pytestmark = pytest.mark.live
ABOUT = Beat("w1", "host", 1, 2, "0", "2026-11-21T00:00:00.000Z")


class Consumer:
    """A consumer that comes round when told to."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self.last, self.wanted = clock, clock.monotonic(), frozenset[str]()

    def poke(self, platforms: frozenset[str]) -> None:
        self.wanted = platforms

    def seen(self) -> float:
        return self.last

    def serving(self) -> frozenset[str]:
        return self.wanted

    def come_round(self) -> None:
        self.last = self._clock.monotonic()


class Part:
    """A presence without its threads."""

    def __init__(self, broker: str, worker: str) -> None:
        self.clock, self.ledger = FakeClock(), Ledger()
        self.link = WorkerLink(broker, worker, heartbeat=1.0, clock=self.clock)
        self.tools: dict[str, str] = {"gcc": "linux-1"}
        self.looks: list[tuple[str, ...]] = []
        self.consumer = Consumer(self.clock)
        self.fitness = Fitness(self.fingerprint, pinned=["pinned"], clock=self.clock)
        self.cancelled: list[str] = []
        self.died: list[str] = []
        self.presence = Presence(
            self.link,
            self.ledger,
            self.fitness,
            self.consumer,
            about=ABOUT,
            cancel=self.cancelled.append,
            die=self.died.append,
            clock=self.clock,
        )

    def fingerprint(self, tools: Sequence[str]) -> str:
        self.looks.append(tuple(tools))
        for tool in tools:
            if tool not in self.tools:
                raise ToolMissing(f"tool {tool} is not on this machine")
        return "-".join(self.tools[tool] for tool in tools)


@pytest.fixture
def part(valkey: Server, request: pytest.FixtureRequest) -> Iterator[Part]:
    made = Part(valkey.url, f"worker-{request.node.name}")
    yield made
    made.link.leave()


def order(build: str) -> JobOrder:
    return JobOrder(build, "a", 1, Action("command", ("x",), (), ("o",), None, "p", (), ()), 60.0)


def test_a_consumer_that_does_not_move_ends_the_worker_after_a_minute(part: Part) -> None:
    part.presence.beat()
    for _ in range(10):
        part.clock.advance(DEAD_SECONDS / 10)
        part.presence.beat()
    alive = list(part.died)

    part.clock.advance(1)
    part.presence.beat()

    assert (alive, len(part.died)) == ([], 1)


def test_a_machine_that_stood_still_is_no_consumer_that_does_not_move(part: Part) -> None:
    part.presence.beat()
    part.clock.advance(2 * DEAD_SECONDS)
    part.presence.beat()
    part.clock.advance(1)
    part.presence.beat()

    assert part.died == []


def test_a_consumer_that_moves_keeps_the_worker_alive(part: Part) -> None:
    for _ in range(5):
        part.clock.advance(DEAD_SECONDS)
        part.consumer.come_round()
        part.presence.beat()

    assert part.died == []


def test_a_stopping_worker_is_not_judged(part: Part) -> None:
    part.presence.beat()
    part.ledger.stopping = True

    part.clock.advance(2 * DEAD_SECONDS)
    part.presence.beat()

    assert part.died == []


def test_a_cancelled_build_is_killed_at_the_next_heartbeat_and_again_while_it_runs(part: Part, valkey: Server) -> None:
    client = queue.connect(valkey.url)
    client.set(queue.marker_key("cancelled-1"), queue.CANCELLED)
    part.ledger.begin("cancelled-1", 1)

    part.presence.beat()
    part.presence.beat()

    assert part.cancelled == ["cancelled-1", "cancelled-1"]
    assert part.ledger.cancelled("cancelled-1", 1)
    client.close()


def test_a_build_whose_marker_stays_away_is_killed_and_not_before(part: Part) -> None:
    part.ledger.begin("orphan-1", 1)
    part.presence.beat()
    part.clock.advance(ORPHAN_SECONDS)
    part.presence.beat()
    early = list(part.cancelled)

    part.clock.advance(1)
    part.consumer.come_round()
    part.presence.beat()

    assert (early, part.cancelled) == ([], ["orphan-1"])


def test_a_heartbeat_says_what_runs(part: Part, valkey: Server) -> None:
    part.ledger.begin("b", 7)
    part.ledger.at(7, order("b"), 3)

    part.presence.beat()

    client = queue.connect(valkey.url)
    (beat,) = queue.read_beats([client.get(queue.worker_key(part.link.worker))])  # type: ignore[list-item]
    client.close()
    assert [(r.build, r.batch, r.left, r.job) for r in beat.running] == [("b", 7, 3, "a")]


def test_tools_are_looked_at_once_and_again_when_time_has_passed(part: Part) -> None:
    part.fitness.consider([("gcc",)])
    part.fitness.consider([("gcc",)])
    before = len(part.looks)
    part.clock.advance(RECHECK_SECONDS + 1)
    part.fitness.consider([("gcc",)])

    assert (before, len(part.looks)) == (1, 2)
    assert part.fitness.platforms() == {"pinned", "linux-1"}


def test_a_tool_that_changed_is_noticed_before_the_next_batch(part: Part) -> None:
    part.fitness.consider([("gcc",)])
    assert part.fitness.serves("linux-1")
    part.tools["gcc"] = "linux-2"

    part.clock.advance(FRESH_SECONDS + 0.1)

    assert not part.fitness.serves("linux-1")
    assert part.fitness.serves("linux-2")


def test_a_missing_tool_is_a_reason_and_no_platform(part: Part) -> None:
    part.fitness.consider([("gcc", "rustc")])

    assert part.fitness.platforms() == {"pinned"}
    assert part.fitness.unfit() == {'["gcc","rustc"]': "tool rustc is not on this machine"}


def test_a_batch_is_granted_to_one_delivery_and_told_once(part: Part, valkey: Server) -> None:
    client = queue.connect(valkey.url)
    client.set(queue.marker_key("claims-1"), queue.OPEN)

    granted = [part.link.claim("claims-1", 1) for _ in range(3)]

    events = [queue.read_event(fields[b"e"]) for _, fields in client.xrange(queue.events_key("claims-1"))]
    client.close()
    assert granted == [True, False, False]
    assert events == [Claimed(1, part.link.worker)]


@pytest.mark.parametrize("marker", [None, queue.CANCELLED])
def test_a_batch_of_a_build_that_is_over_is_granted_to_nobody(part: Part, valkey: Server, marker: bytes | None) -> None:
    build = f"over-{marker!r}"
    client = queue.connect(valkey.url)
    if marker is not None:
        client.set(queue.marker_key(build), marker)

    assert not part.link.claim(build, 1)
    assert not client.exists(queue.claims_key(build), queue.events_key(build))
    client.close()
