"""BuildReport: what a build did, for the terminal, `--json` and the run record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from coordinator.progress import Failure, How
from shared.errors import Interrupted
from shared.model.manifest import revision_name
from shared.model.plan import Plan
from shared.model.tests import TestMap

Status = Literal["ok", "failed", "no-changes", "interrupted"]


class BuildReport(msgspec.Struct, frozen=True):
    """Counts are jobs, bytes are bytes, seconds are seconds; revision is 0 when nothing was committed.

    executed counts each execution of all passes, and outputs and bytes are those of all; the other counts of jobs
    are those of the last pass, and what it took over from an earlier one is not reused. repeated: as in RunReport.
    done: the jobs that have a result, each with the key it is stored under. reused_jobs: those of them that a
    stored result stood for. tests: those of the graph that the plan is one of. made: what those jobs made, path to
    blob.
    """

    build: str
    status: Status
    project: str
    branch: str
    base_revision: int
    revision: int
    planned: int = 0
    executed: int = 0
    reused: Mapping[str, int] = {}
    failed: int = 0
    skipped: int = 0
    repeated: int = 0
    layers: tuple[int, ...] = ()
    outputs_written: int = 0
    outputs_removed: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0
    saved_seconds: float = 0.0
    files: int = 0
    failures: tuple[Failure, ...] = ()
    changed: tuple[str, ...] = ()
    not_committed: str = ""
    plan: Plan | None = None
    tests: TestMap | None = None
    made: Mapping[str, str] = {}
    done: Mapping[str, str] = {}
    reused_jobs: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """The object of `windrow build --json`, schema windrow.build/1."""
        return {
            "schema": "windrow.build/1",
            "build": self.build,
            "status": self.status,
            "project": self.project,
            "branch": self.branch,
            "base_revision": revision_name(self.base_revision) if self.base_revision else None,
            "revision": revision_name(self.revision) if self.revision else None,
            "planned": self.planned,
            "executed": self.executed,
            "reused": {name: self.reused.get(name, 0) for name in ("cut_off", "local", "remote", "shared")},
            "failed": self.failed,
            "skipped": self.skipped,
            "repeated": self.repeated,
            "layers": list(self.layers),
            "outputs_written": self.outputs_written,
            "outputs_removed": self.outputs_removed,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "seconds": round(self.seconds, 3),
            "saved_seconds": round(self.saved_seconds, 3),
            "not_committed": self.not_committed or None,
            "failures": [{"job": f.job, "exit_code": f.exit_code, "log": f.output} for f in self.failures],
        }


class InterruptedBuild(Interrupted):
    """A build was interrupted after its jobs had begun; `report` tells what it did until then."""

    def __init__(self, report: BuildReport, *, at: str = "", why: str = "") -> None:
        super().__init__("interrupted", at=at, why=why, fix="finished jobs are kept; build again to go on")
        self.report = report


def count_how(how: Mapping[str, How]) -> dict[str, int]:
    """How many jobs were come by in each way."""
    counts: dict[str, int] = {}
    for way in how.values():
        counts[way] = counts.get(way, 0) + 1
    return counts
