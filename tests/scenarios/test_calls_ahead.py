"""What performs calls is started while the build is still planned, and only where there are calls to perform."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import msgspec
import psutil
import pytest

from cli.performers import PERFORMERS, start_calls
from coordinator import build as building
from coordinator.project import Project
from coordinator.request import Request
from shared.errors import LockHeld
from shared.settings_load import load
from tests.fakes.observer import RecordingObserver
from tests.scenarios.context_project import FEW, FEW_JOBS, ContextProject
from workers.execute.slot import Slot


class Watched(ContextProject):
    """started: what was started ahead, by the targets it was given."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, rules=FEW)
        self.started: list[tuple[tuple[str, ...], int]] = []

    def project(self) -> Project:
        return Project(
            load(self.root, flags={}, environ=self.environ),
            environ=self.environ,
            clock=self.clock,
            performers=msgspec.structs.replace(PERFORMERS, calls=self._start),
        )

    def _start(self, targets: Collection[str]) -> Slot | None:
        slot = start_calls(targets)
        assert slot is not None
        assert slot._process is not None
        self.started.append((tuple(targets), slot._process.pid))
        return slot


@pytest.fixture
def project(tmp_path: Path) -> Watched:
    made = Watched(tmp_path / "tree")
    assert made.build().executed == FEW_JOBS
    made.settle()
    made.started.clear()
    return made


def test_a_changed_rule_starts_it_once_and_it_is_gone_after_the_build(project: Watched) -> None:
    project.third_paragraph(FEW[0])

    assert project.build().status == "ok"

    ((targets, pid),) = project.started
    assert targets == ("context-rules.parse",)
    assert not psutil.pid_exists(pid)


def test_a_rule_with_links_is_parsed_all_the_same(project: Watched) -> None:
    """What reads links is loaded by the first fork that needs it, and ahead of the second call."""
    project.rule(FEW[0], "A body that leads [elsewhere](../frontend/rule-09.md).\n")

    report = project.build()

    assert (report.status, len(project.started)) == ("ok", 1)
    assert "elsewhere" in (project.root / "CLAUDE.md").read_text()


def test_touched_rules_a_look_and_a_change_that_no_call_reads_start_nothing(project: Watched) -> None:
    os.utime(project.root / ".context/rules" / f"{FEW[0]}.md")
    assert project.build().status == "no-changes"
    project.write("notes.txt", "read by nobody\n")
    project.build()
    project.third_paragraph(FEW[0])
    assert project.look().plan.jobs

    assert project.started == []


def test_a_build_that_may_not_begin_leaves_nothing_behind(project: Watched) -> None:
    project.third_paragraph(FEW[0])
    other = project.project()
    with building._held(other, Request(), "other", other.load_base()), pytest.raises(LockHeld):
        building.build(project.project(), Request(), RecordingObserver())

    ((_, pid),) = project.started
    assert not psutil.pid_exists(pid)
