"""The farm in good health: jobs go out to real workers through a real broker and end once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from coordinator.dispatch.link import FarmLink
from shared import queue
from shared.errors import NoWorker
from shared.queue import Beat
from shared.storage.disk import DiskBlobs
from tests.live.farm_rig import PLATFORM, TOOLS, Rig
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    farm = Rig(tmp_path)
    yield farm
    farm.close()


def test_500_jobs_on_two_workers_end_exactly_once(rig: Rig) -> None:
    rig.worker()
    rig.worker()
    with rig.build() as build:
        rig.ready(2)
        for start in range(0, 500, 10):
            build.performer.submit([build.order(f"j{n}") for n in range(start, start + 10)])

        ended = build.wait(500)

        assert ended == {f"j{n}": 1 for n in range(500)}
        assert {o.status for o in build.outcomes} == {"executed"}
        assert rig.performed() == ended
        assert build.performer.resubmitted == 0
        assert len({o.worker for o in build.outcomes}) == 2


def test_slots_are_those_of_the_workers_that_serve_the_platform(rig: Rig) -> None:
    rig.worker(slots=3)
    rig.worker(slots=4)
    rig.worker(slots=8, toolchain="other")
    with rig.build() as build:
        rig.ready(2)

        assert until(lambda: build.performer.slots() == 7)


def test_a_build_leaves_no_key_behind(rig: Rig) -> None:
    rig.worker()
    with rig.build() as build:
        build.submit("a")
        build.wait(1)

    left = {key.decode() for key in rig.redis.keys("*")}

    assert not {key for key in left if build.id in key}
    assert {key for key in left if not key.startswith(queue.PREFIX)} == set()


def test_messages_that_nobody_takes_are_forgotten_in_time(rig: Rig) -> None:
    """As of a platform that no worker has any more."""
    with rig.build() as build:
        build.submit("a")
        until(lambda: rig.redis.llen(queue.list_key(PLATFORM)) == 1, what="the message")

    assert 0 < rig.redis.ttl(queue.list_key(PLATFORM)) <= queue.STREAM_LIFE
    assert [key for key in rig.redis.keys("*") if rig.redis.ttl(key) == -1] == [queue.TOOLSETS.encode()]


def test_a_worker_is_known_by_its_heartbeat_whatever_it_takes_the_time_to_be(rig: Rig) -> None:
    beat = Beat("off", "host", 1, 2, "0", "2026-11-21T00:00:00.000Z", (PLATFORM,))
    rig.redis.set(queue.worker_key("off"), msgspec.json.encode(beat), ex=60)
    rig.redis.zadd(queue.WORKERS, {"off": rig.redis.time()[0] - 7200, "dead": rig.redis.time()[0] + 7200})
    link = FarmLink(rig.valkey.url, build="b", place="p", blobs=DiskBlobs(rig.folder), patience=10.0)
    link.open(TOOLS)

    seen = [[beat.id for beat in link.look([PLATFORM], TOOLS).beats] for _ in range(3)]

    link.close()
    assert seen == [["off"]] * 3
    assert rig.redis.zrange(queue.WORKERS, 0, -1) == [b"off"]


def test_a_worker_runs_as_many_jobs_as_it_has_slots_while_it_stores_what_others_made(rig: Rig, tmp_path: Path) -> None:
    """One slot: two jobs are being stored, or one is and one runs, but never more."""
    rig.worker(slots=1)
    gates = {name: tmp_path / name for name in ("a", "b", "c", "d")}
    with rig.build() as build:
        rig.ready(1)
        for name, word in (("a", "store"), ("b", "wait"), ("c", "wait")):
            build.submit(name, word, str(gates[name]))
        build.wait_started("b")
        gates["b"].touch()
        build.wait_started("c")
        # A slot that is taken is no room, whatever else is being stored.
        build.submit("d", "wait", str(gates["d"]))
        gates["a"].touch()
        build.wait(2)
        assert "d" not in rig.performed()
        for gate in gates.values():
            gate.touch()

        assert build.wait(4) == dict.fromkeys("abcd", 1)


def test_no_more_is_stored_at_a_time_than_there_are_slots(rig: Rig, tmp_path: Path) -> None:
    rig.worker(slots=1)
    gates = {name: tmp_path / name for name in ("a", "b", "c")}
    with rig.build() as build:
        rig.ready(1)
        for name, gate in gates.items():
            build.submit(name, "store", str(gate))
        build.wait_started("b")
        until(lambda: [len(beat.running) for beat in rig.beats()] == [2], what="two batches under way")
        assert rig.performed() == {"a": 1, "b": 1}
        gates["a"].touch()
        build.wait_started("c")
        for gate in gates.values():
            gate.touch()

        assert build.wait(3) == dict.fromkeys("abc", 1)


def test_orders_too_long_for_a_message_travel_as_a_blob(rig: Rig) -> None:
    rig.worker()
    with rig.build() as build:
        build.performer.submit([build.order("long", env=[("TEXT", "x" * 300_000)]), build.order("short")])

        assert build.wait(2) == {"long": 1, "short": 1}
    assert [len(path.read_bytes()) > 300_000 for path in (rig.folder / "blobs").iterdir()] == [True]


def test_a_failed_job_is_an_outcome_and_is_not_tried_again(rig: Rig) -> None:
    rig.worker()
    with rig.build() as build:
        build.submit("a", "fail")
        build.wait(1)

        assert [o.status for o in build.outcomes] == ["failed"]
    assert rig.performed() == {"a": 1}


def test_the_outcome_of_a_tiny_job_does_not_wait_for_a_long_one_of_its_batch(rig: Rig) -> None:
    rig.worker()
    with rig.build() as build:
        build.performer.submit([build.order("tiny"), build.order("long", "wait", str(rig.folder / "go"))])

        assert build.wait(1) == {"tiny": 1}
        (rig.folder / "go").touch()
        assert build.wait(2)["long"] == 1


def test_a_batch_that_takes_too_long_gives_back_what_it_has_not_begun(rig: Rig) -> None:
    rig.worker(slots=1)
    rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(2)
        (rig.folder / "go").touch()
        build.performer.submit([build.order(f"j{n}", "wait", str(rig.folder / f"go{n}")) for n in range(3)])
        build.wait_started("j0")
        until(lambda: rig.performed() == {"j0": 1})
        # Longer than the budget of a batch: the file comes only once that is over.
        waited = rig.redis.time()[0]
        until(lambda: rig.redis.time()[0] > waited + 1)
        for n in range(3):
            (rig.folder / f"go{n}").touch()

        assert build.wait(3) == {"j0": 1, "j1": 1, "j2": 1}
        assert build.performer.resubmitted == 2
    assert rig.performed() == {"j0": 1, "j1": 1, "j2": 1}


def test_once_stopped_what_runs_ends_and_what_only_waits_never_begins(rig: Rig) -> None:
    rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(1)
        build.submit("long", "wait", str(rig.folder / "go"))
        until(lambda: rig.performed() == {"long": 1})
        for n in range(5):
            build.submit(f"j{n}")

        build.performer.after_failure(stop=True)
        until(lambda: len(build.outcomes) == 5)
        build.submit("late")
        until(lambda: len(build.outcomes) == 6)
        (rig.folder / "go").touch()
        build.wait(7)

        assert {o.job: o.status for o in build.outcomes} == {
            "long": "executed", "late": "dropped", **{f"j{n}": "dropped" for n in range(5)}
        }  # fmt: skip
    assert rig.performed() == {"long": 1}


def test_cancel_kills_what_runs_and_begins_nothing_more(rig: Rig) -> None:
    rig.worker(slots=2)
    with rig.build() as build:
        for n in range(6):
            build.submit(f"j{n}", "wait")
        build.wait_started("j0")

        build.performer.cancel()

        until(lambda: all(not beat.running for beat in rig.beats()), what="workers to stop")
    with rig.build() as other:
        other.submit("later")
        other.wait(1)
    assert build.outcomes == []
    assert sum(rig.performed().values()) <= 3


def test_a_build_that_closes_without_cancel_leaves_nothing_running(rig: Rig) -> None:
    rig.worker(slots=1)
    with rig.build() as build:
        build.submit("j0", "wait")
        build.wait_started("j0")

    until(lambda: all(not beat.running for beat in rig.beats()), what="workers to stop")


def test_without_any_worker_the_build_ends_within_the_time_of_grace(rig: Rig) -> None:
    with rig.build(grace=1.0) as build:
        build.submit("a")

        error = build.wait_error(5)

    assert isinstance(error, NoWorker)
    assert PLATFORM in error.what
    assert "no worker is connected" in error.why


def test_a_worker_with_other_tools_is_named_with_what_it_offers(rig: Rig) -> None:
    rig.worker(toolchain="strange")
    with rig.build(grace=3.0) as build:
        until(lambda: any(beat.platforms for beat in rig.beats()), what="the worker")
        build.submit("a")

        error = build.wait_error(8)

    assert isinstance(error, NoWorker)
    assert PLATFORM in error.what
    assert "strange-gcc" in error.why


def test_a_worker_that_lacks_a_tool_says_so(rig: Rig) -> None:
    rig.worker()
    with rig.build(grace=3.0, tools=("nowhere",)) as build:
        until(lambda: any(beat.unfit for beat in rig.beats()), what="the worker")
        build.submit("a")

        error = build.wait_error(8)

    assert "nowhere is not on this machine" in error.why


def test_sigterm_finishes_what_runs_and_gives_back_the_rest(rig: Rig) -> None:
    leaving = rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(1)
        build.performer.submit([build.order("running", "wait", str(rig.folder / "go")), build.order("later")])
        build.wait_started("running")
        rig.worker(slots=1)
        rig.ready(2)

        leaving.send_signal(signal.SIGTERM)
        until(lambda: any(beat.stopping for beat in rig.beats()), what="the worker to stop")
        (rig.folder / "go").touch()

        assert build.wait(2) == {"running": 1, "later": 1}
        assert leaving.wait(10) == 0
        assert rig.process_of(next(o.worker for o in build.outcomes if o.job == "later")) is not leaving
    assert rig.performed() == {"running": 1, "later": 1}
    assert len(rig.beats()) == 1


def test_after_the_time_to_finish_what_still_runs_is_killed_and_given_back(rig: Rig) -> None:
    leaving = rig.worker(slots=1, finish=0.5)
    with rig.build() as build:
        rig.ready(1)
        build.submit("long", "wait", str(rig.folder / "go"))
        build.wait_started("long")
        # That it begins is told before it does.
        until(lambda: rig.performed()["long"] == 1, what="the job to run")

        leaving.send_signal(signal.SIGTERM)
        assert leaving.wait(10) == 0
        rig.worker(slots=1)
        (rig.folder / "go").touch()

        assert build.wait(1) == {"long": 1}
    assert rig.performed() == {"long": 2}


def test_a_second_signal_ends_a_worker_at_once(rig: Rig) -> None:
    leaving = rig.worker(slots=1)
    with rig.build() as build:
        rig.ready(1)
        build.submit("long", "wait")
        build.wait_started("long")

        leaving.send_signal(signal.SIGTERM)
        until(lambda: any(beat.stopping for beat in rig.beats()), what="the worker to stop")
        leaving.send_signal(signal.SIGTERM)

        assert leaving.wait(5) == 128 + signal.SIGTERM


def test_a_worker_that_is_done_leaves_no_heartbeat(rig: Rig) -> None:
    leaving = rig.worker()
    with rig.build():
        rig.ready(1)

    leaving.send_signal(signal.SIGTERM)

    assert leaving.wait(10) == 0
    assert rig.beats() == []
