"""How the tests of the film look at what a command said and at the project's log."""

from __future__ import annotations

from coordinator.history.eventlog import EventLog
from tests.fakes.workspace import Workspace

JOBS, LAYERS, ARTEFACTS = 17, (1, 7, 7, 1, 1), 24


def log_of(project: Workspace) -> EventLog:
    return project.project().event_log()
