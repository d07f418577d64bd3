"""Progress as plain lines: for logs, pipes and dumb terminals. Does not import rich."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from typing import NamedTuple

from cli.render import duration, err, plural
from cli.summary import shortened
from coordinator.progress import Failure, How
from shared.model.graph import BuildGraph, Recipe
from shared.model.plan import Plan
from shared.model.tests import TEST_RULE

_WARNING = "warning: "


class LineProgress:
    """A line for each job that was executed or failed; hits only count."""

    def __init__(self, *, verbose: bool = False, quiet: bool = False) -> None:
        self._verbose, self._quiet = verbose, quiet
        self._total = self._done = 0
        self._began = time.monotonic()
        self._warnings: dict[str, int] = {}
        self._recipes: Mapping[str, Recipe] = {}

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        """See BuildObserver."""
        # A build whose sources changed under it begins again.
        self._total, self._done = len(plan.jobs), 0
        self._recipes = graph.recipes
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
        said = Said.of(job, text, self._recipes)
        for warning in said.warnings:
            self.warned(warning)
        if said.lines and not self._quiet:
            for line in said.lines:
                err(line)

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

    def remaking(self, text: str, why: str, command: str) -> int:
        """See BuildObserver."""
        self.warned(f"{text} ({why})")
        return 2

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


class Said(NamedTuple):
    """What a job that succeeded printed: lines that begin with `warning: `, without that, and the others, shortened."""

    warnings: tuple[str, ...]
    lines: tuple[str, ...]

    @classmethod
    def of(cls, job: str, text: str, recipes: Mapping[str, Recipe]) -> Said:
        """Of a job's output. Tests that passed say nothing: a framework prints that they did."""
        all_ = text.splitlines()
        warnings = tuple(line.removeprefix(_WARNING) for line in all_ if line.startswith(_WARNING))
        recipe = recipes.get(job)
        if recipe is not None and recipe.rule == TEST_RULE:
            return cls(warnings, ())
        rest = "\n".join(line for line in all_ if not line.startswith(_WARNING)) if warnings else text
        return cls(warnings, tuple(shortened(rest, f"windrow log {shlex.quote(job)}")))


def plan_line(plan: Plan, graph: BuildGraph, build: str) -> str:
    """What is about to happen."""
    text = f"plan {build}  {plural(len(graph.recipes), 'job')} known · {len(plan.jobs):,} to run"
    if plan.jobs:
        text += f" in {plural(len(plan.layers), 'layer')}"
    text += f" · {len(plan.preserved):,} unchanged"
    if plan.estimated_seconds >= 1:
        text += f" · expected {duration(plan.estimated_seconds)}"
    return text
