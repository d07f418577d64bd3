"""Slots: threads that share them, builds that are cancelled."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from shared.model.action import Action
from shared.model.job import JobOrder
from tests.unit.workers.perform.farm import Farm
from tests.waiting import until


def test_a_noop_starts_nothing_and_writes_nothing(farm: Farm) -> None:
    action = Action("noop", ("x",), (), ("never",), None, "", (), ())

    outcome = farm.worker.perform(JobOrder("b", "j", 1, action, 1.0))

    assert outcome.status == "executed"
    assert outcome.result is not None
    assert outcome.result.outputs == ()
    assert not (farm.root / "sandboxes").exists()
    assert farm.results.stored == {}


def test_cancelling_a_build_kills_its_jobs_and_no_others(farm: Farm) -> None:
    started = farm.root / "started"
    started.mkdir()

    def order(build: str) -> JobOrder:
        script = f"touch {started}/{build}; while [ -e {started}/{build} ]; do sleep 0.01; done; touch out"
        return JobOrder(build, build, 1, farm.action("sh", "-c", script), 30.0)

    with ThreadPoolExecutor(2) as pool:
        doomed, spared = (
            pool.submit(farm.worker.perform, order("doomed")),
            pool.submit(farm.worker.perform, order("spared")),
        )
        until(lambda: len(os.listdir(started)) == 2)

        farm.worker.cancel("doomed")
        lost = doomed.result(10)
        (started / "spared").unlink()
        done = spared.result(10)

    assert (lost.status, lost.message) == ("lost", "cancelled")
    assert done.status == "executed"


def test_cancelling_all_leaves_the_worker_ready_for_more(farm: Farm) -> None:
    mark = farm.root / "begun"

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(farm.run, "sh", "-c", f"echo >> {mark}; sleep 60; : {n}") for n in range(4)]
        until(lambda: mark.exists() and len(mark.read_text()) == 2)
        farm.worker.cancel_all()
        statuses = {one.result(10).status for one in running}

    assert statuses == {"lost"}
    assert farm.run("touch", "out").status == "executed"


def test_many_threads_share_the_slots(farm: Farm) -> None:
    farm.write("in", "x")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: farm.run("sh", "-c", f"cat in > out; echo {n} >> out"), range(24)))

    assert {outcome.status for outcome in outcomes} == {"executed"}
    texts = [farm.text(outcome.result.outputs[0].hash) for outcome in outcomes if outcome.result]
    assert texts == [f"x{n}\n" for n in range(24)]


def test_times_and_the_worker_are_noted(farm: Farm) -> None:
    outcome = farm.run("sh", "-c", "sleep 0.05; touch out")

    assert outcome.result is not None
    assert outcome.result.timings.run >= 0.05
    assert outcome.seconds >= outcome.result.timings.run
    assert outcome.worker == outcome.result.worker == "w1"
