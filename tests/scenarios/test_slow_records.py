"""A store that is slow to take the records of a build whose sources change under it: those of the last pass stay."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec

from coordinator import build as building
from coordinator import refnames
from coordinator.history.runs import PlanRecord
from coordinator.project import Project
from coordinator.request import Request
from shared.model.plan import InputChanged
from shared.settings_load import load
from tests.fakes.observer import RecordingObserver
from tests.fakes.workspace import Workspace

RULES = """\
[project]
name = "slow"

[[rule]]
name = "first"
inputs = ["a.txt"]
command = ["toy-cat", "a.txt"]
outputs = ["first"]

[[rule]]
name = "second"
inputs = ["first", "b.txt"]
command = ["toy-cat", "first", "b.txt"]
outputs = ["second"]
"""


class SlowPlans:
    """Records whose first plan is not stored before the second is, or nobody sends one for a while."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._plans, self._second = inner, 0, threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, name: str, data: bytes) -> None:
        number = 0
        if name.endswith("-plan.json"):
            self._plans += 1
            number = self._plans
        if number == 1:
            self._second.wait(1.0)
        self._inner.write(name, data)
        if number == 2:
            self._second.set()


class Editing(RecordingObserver):
    """Somebody who takes an edit back while the job before the one that reads it runs."""

    def __init__(self, space: Workspace) -> None:
        super().__init__()
        self._space = space

    def started(self, job: str, worker: str) -> None:
        super().started(job, worker)
        self._space.write("b.txt", "b")


def test_the_plan_that_is_kept_is_that_of_the_last_pass(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "tree")
    space.write("windrow.toml", RULES)
    for name in "ab":
        space.write(f"{name}.txt", name)
    assert space.build().revision == 1
    for name in "ab":
        space.write(f"{name}.txt", f"{name} edited")
    stores = space.project().stores
    slow = msgspec.structs.replace(stores, refs=SlowPlans(stores.refs))
    settings = load(space.root, flags={}, environ=space.environ)
    project = Project(settings, environ=space.environ, clock=space.clock, performers=space._performers(), stores=slow)
    observer = Editing(space)

    report = building.build(project, Request(), observer)

    assert report.revision == 2
    assert "b.txt changed while the build ran; looking again" in observer.warnings
    kept = stores.refs.read(refnames.run("slow", "main", 2, "plan"))
    assert kept is not None
    plan = msgspec.json.decode(kept.data, type=PlanRecord)
    reasons = [reason for layer in plan.layers for job in layer for reason in job.reasons]
    assert [reason.path for reason in reasons if isinstance(reason, InputChanged)] == ["a.txt"]
