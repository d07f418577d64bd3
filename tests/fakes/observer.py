"""RecordingObserver: remembers what it was told."""

from __future__ import annotations

from coordinator.progress import Failure, How
from shared.model.graph import BuildGraph
from shared.model.plan import Plan


class RecordingObserver:
    def __init__(self) -> None:
        self.order: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        self.failures: list[Failure] = []

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        self.order.append(("planned", str(len(plan.jobs))))

    def added(self, job: str) -> None:
        self.order.append(("added", job))

    def started(self, job: str, worker: str) -> None:
        self.order.append(("started", job))

    def finished(self, job: str, how: How, seconds: float) -> None:
        self.order.append((how, job))

    def said(self, job: str, text: str) -> None:
        pass

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)
        self.order.append(("failed", failure.job))

    def skipped(self, job: str, because: str) -> None:
        self.order.append(("skipped", job))

    def remaking(self, text: str, why: str, command: str) -> int:
        self.warnings.append(f"{text} ({why})")
        return 2

    def warned(self, text: str) -> None:
        self.warnings.append(text)
