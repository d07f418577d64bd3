"""How jobs are to be run, and what came of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from coordinator.progress import Failure, How
from shared.model.action import ActionResult


class Options(msgspec.Struct, frozen=True):
    """How to run: strict layers or ready-first, until when (monotonic seconds).

    failures: how many end the build; 0 for any number. outside: jobs that were not asked for; they do not run even if
    what they read comes out otherwise.
    """

    schedule: Literal["ready", "layers"] = "ready"
    failures: int = 1
    deadline: float | None = None
    require_cached: bool = False
    outside: frozenset[str] = frozenset()


class RunReport(msgspec.Struct, frozen=True):
    """What came of the jobs: results by job, how each was come by, failures in order, jobs not run."""

    results: dict[str, ActionResult]
    how: dict[str, How]
    failures: tuple[Failure, ...]
    skipped: tuple[str, ...]
    added: tuple[str, ...]
    bytes_up: int = 0
    bytes_down: int = 0
    saved_seconds: float = 0.0
