"""Progress as plain lines: for logs, pipes and dumb terminals. Does not import rich."""

from __future__ import annotations

import time

from cli.render import duration, err, plural
from coordinator.progress import Failure, How
from shared.model.graph import BuildGraph
from shared.model.plan import Plan

_WARNING = "warning: "


class LineProgress:
    """A line for each job that was executed or failed; hits only count."""

    def __init__(self, *, verbose: bool = False, quiet: bool = False) -> None:
        self._verbose, self._quiet = verbose, quiet
        self._total = self._done = 0
        self._began = time.monotonic()
        self._warnings: dict[str, int] = {}

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        """See BuildObserver."""
        # A build whose sources changed under it begins again.
        self._total, self._done = len(plan.jobs), 0
        if not self._quiet:
            err(plan_line(plan, graph, build))

    def added(self, job: str) -> None:
        """See BuildObserver."""
        self._total += 1

    def started(self, job: str, worker: str) -> None:
        """See BuildObserver."""
        if self._verbose:
            err(f"{self._count()} start {job}  {worker}")

    def finished(self, job: str, how: How, seconds: float) -> None:
        """See BuildObserver."""
        self._done += 1
        if self._quiet:
            return
        if how == "executed":
            err(f"{self._count()} ok    {job} ({duration(seconds)})")
        elif self._verbose:
            err(f"{self._count()} HIT   {job} ({how.replace('_', ' ')})")

    def said(self, job: str, text: str) -> None:
        """See BuildObserver."""
        if self._verbose and not self._quiet:
            err(text)
        else:
            for warning in warnings_in(text):
                self.warned(warning)

    def failed(self, failure: Failure) -> None:
        """See BuildObserver."""
        self._done += 1
        ended = failure.message or f"exit {failure.exit_code}"
        err(f"{self._count()} FAIL  {failure.job} ({duration(failure.seconds)}, {ended})")

    def skipped(self, job: str, because: str) -> None:
        """See BuildObserver."""
        self._done += 1
        if self._verbose:
            err(f"{self._count()} SKIP  {job} (needs {because})")

    def warned(self, text: str) -> None:
        """See BuildObserver: shown the 1st, 2nd, 4th, 8th … time."""
        count = self._warnings[text] = self._warnings.get(text, 0) + 1
        if count & (count - 1) == 0:
            err(f"warning: {text}" + (f" ({count} times)" if count > 1 else ""))

    def close(self) -> None:
        """Nothing is kept on the screen."""

    def _count(self) -> str:
        width = len(str(self._total))
        return f"[{self._done:>{width}}/{self._total}] {time.monotonic() - self._began:5.1f}s"


def warnings_in(text: str) -> list[str]:
    """What a job that succeeded warns of: the lines of its log that begin with `warning: `."""
    return [line.removeprefix(_WARNING) for line in text.splitlines() if line.startswith(_WARNING)]


def plan_line(plan: Plan, graph: BuildGraph, build: str) -> str:
    """What is about to happen."""
    text = f"plan {build}  {plural(len(graph.recipes), 'job')} known · {len(plan.jobs):,} to run"
    if plan.jobs:
        text += f" in {plural(len(plan.layers), 'layer')}"
    text += f" · {len(plan.preserved):,} unchanged"
    if plan.estimated_seconds >= 1:
        text += f" · expected {duration(plan.estimated_seconds)}"
    return text
