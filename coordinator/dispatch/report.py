"""How jobs are to be run, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from coordinator.dispatch.permits import Permits
from coordinator.progress import Failure, How
from shared.model.action import ActionResult


class Options(msgspec.Struct, frozen=True):
    """How to run: strict layers or ready-first, until when (monotonic seconds).

    failures: how many end the build; 0 for any number, and those of `lenient` rules do not count. outside: jobs that
    were not asked for; they do not run even if what they read comes out otherwise. permits: what bounds pools beyond
    this build, if anything does. at_once: how many jobs may run at once, wherever they do; 0 for any number.
    """

    schedule: Literal["ready", "layers"] = "ready"
    failures: int = 1
    deadline: float | None = None
    require_cached: bool = False
    outside: frozenset[str] = frozenset()
    lenient: frozenset[str] = frozenset()
    permits: Permits | None = None
    at_once: int = 0

    def ends_with(self, failures: Iterable[Failure]) -> bool:
        """Whether these failures end the build."""
        return 0 < self.failures <= sum(failure.rule not in self.lenient for failure in failures)


class RunReport(msgspec.Struct, frozen=True):
    """What came of the jobs: results by job, how each was come by, failures in order, jobs not run.

    repeated: how many jobs were run again because of files that they were not given, or that were others elsewhere.
    """

    results: dict[str, ActionResult]
    how: dict[str, How]
    failures: tuple[Failure, ...]
    skipped: tuple[str, ...]
    added: tuple[str, ...]
    bytes_up: int = 0
    bytes_down: int = 0
    saved_seconds: float = 0.0
    repeated: int = 0

    @property
    def keys(self) -> dict[str, str]:
        """Job to the key that its result is stored under."""
        return {job: result.key for job, result in self.results.items()}
