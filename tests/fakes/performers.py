"""Performers of a project that is built without a farm, by what a test makes."""

from __future__ import annotations

from collections.abc import Callable

from coordinator.dispatch.performer import Performer
from coordinator.project import Performers, Project


def here_only(here: Callable[[Project, int], Performer]) -> Performers:
    return Performers(on_farm=_no_farm, here=here, calls=lambda _targets: None)


def _no_farm(_project: Project, _build: str, _platform: str) -> Performer:
    raise AssertionError("this project has no farm")
