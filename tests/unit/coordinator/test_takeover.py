"""When a build may send jobs although another died before it."""

from __future__ import annotations

from coordinator.dispatch.takeover import LONGEST, SETTLED, Takeover
from shared.queue import Beat, Running


def beat(*builds: str) -> Beat:
    return Beat("w", "host", 1, 2, "0", "", running=tuple(Running(build, 1) for build in builds))


def test_without_a_dead_build_nothing_is_waited_for() -> None:
    assert Takeover((), 100.0, 1.0).over()


def test_a_worker_that_lists_nothing_of_it_must_have_been_heard_after_the_cancel() -> None:
    takeover = Takeover(["dead"], 100.0, 1.0)

    takeover.look(100.1, [beat()])
    before = takeover.over()
    takeover.look(100.0 + SETTLED, [beat("mine")])

    assert (before, takeover.over()) == (False, True)


def test_jobs_that_still_run_are_waited_for() -> None:
    takeover = Takeover(["dead"], 100.0, 1.0)

    takeover.look(103.0, [beat("mine"), beat("dead", "mine")])
    before = takeover.over()
    takeover.look(104.0, [beat("mine")])

    assert (before, takeover.over()) == (False, True)


def test_a_worker_that_cannot_end_a_job_does_not_hold_up_builds_for_ever() -> None:
    takeover = Takeover(["dead"], 100.0, 1.0)

    takeover.look(100.0 + LONGEST, [beat("dead")])

    assert takeover.over()
