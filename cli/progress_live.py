"""Progress on a terminal: a few lines that move, above them what is worth keeping. Only this module imports rich."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.progress_lines import Said, plan_line
from cli.render import duration
from coordinator.progress import Failure, How
from shared.model.graph import BuildGraph, Recipe
from shared.model.plan import Plan
from shared.redaction import redact

_SHOWN_JOBS = 5
_FRAMES_A_SECOND = 5
_EXPECT_AFTER = 2.0


class LiveProgress:
    """Keeps the scrollback: finished jobs go by only when they fail or when asked for; no alternate screen."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._verbose = verbose
        self._began = time.monotonic()
        self._total = self._done = self._hits = self._ran = self._bad = 0
        self._layers = 0
        self._running: dict[str, tuple[float, str, float]] = {}
        self._expected: dict[str, float] = {}
        self._left = 0.0
        self._live: Live | None = None
        self._recipes: Mapping[str, Recipe] = {}

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        """See BuildObserver."""
        self.close()
        self._began = time.monotonic()
        self._total, self._done, self._layers = len(plan.jobs), 0, len(plan.layers)
        self._running.clear()
        self._recipes = graph.recipes
        self._expected = {job.id: job.expected for job in plan.jobs.values()}
        self._left = sum(self._expected.values())
        self._console.print(plan_line(plan, graph, build))
        if self._total:
            self._live = Live(
                console=self._console,
                get_renderable=self._frame,
                refresh_per_second=_FRAMES_A_SECOND,
                transient=True,
            )
            self._live.start()

    def added(self, job: str) -> None:
        """See BuildObserver."""
        self._total += 1

    def started(self, job: str, worker: str) -> None:
        """See BuildObserver."""
        self._running[job] = (time.monotonic(), worker, self._expected.get(job, 0.0))

    def finished(self, job: str, how: How, seconds: float) -> None:
        """See BuildObserver."""
        self._end(job)
        if how == "executed":
            self._ran += 1
        else:
            self._hits += 1
        if self._verbose:
            word = Text("  ok  ", "green") if how == "executed" else Text("  HIT ", "cyan")
            self._print(word.append(f" {job}  {duration(seconds)}", "default"))

    def said(self, job: str, text: str) -> None:
        """See BuildObserver."""
        said = Said.of(job, text, self._recipes)
        for warning in said.warnings:
            self.warned(warning)
        if said.lines:
            if not self._verbose:
                self._print(Text("  ok  ", "green").append(f" {job}", "default"))
            for line in said.lines:
                self._print(Text.from_ansi(redact(line)))

    def failed(self, failure: Failure) -> None:
        """See BuildObserver."""
        self._end(failure.job)
        self._bad += 1
        ended = failure.message or f"exit {failure.exit_code}"
        self._print(Text("  FAIL", "red").append(f" {failure.job}  {duration(failure.seconds)}  {ended}", "default"))

    def skipped(self, job: str, because: str) -> None:
        """See BuildObserver."""
        self._end(job)
        if self._verbose:
            self._print(Text("  SKIP", "yellow").append(f" {job}  needs {because}", "default"))

    def remaking(self, text: str, why: str, command: str) -> int:
        """See BuildObserver."""
        self.warned(f"{text} ({why})")
        return 2

    def warned(self, text: str) -> None:
        """See BuildObserver."""
        self._print(Text("warning: ", "yellow").append(redact(text), "default"))

    def close(self) -> None:
        """Take the moving lines off the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _end(self, job: str) -> None:
        self._done += 1
        self._left -= self._expected.get(job, 0.0)
        self._running.pop(job, None)

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _frame(self) -> RenderableType:
        now = time.monotonic()
        head = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(self._total, 1), completed=self._done, width=24)
        elapsed = now - self._began
        words = f"{duration(elapsed)}"
        if elapsed > _EXPECT_AFTER and 0 < self._done < self._total:
            words += f"  about {duration(elapsed / self._done * (self._total - self._done))} left"
        words += f"   hit {self._hits} · run {self._ran}" + (f" · fail {self._bad}" if self._bad else "")
        head.add_row(f"[{self._done}/{self._total}]".replace("[", "\\["), bar, words)
        lines: list[RenderableType] = [head]
        longest = sorted(self._running.items(), key=lambda item: item[1][0])
        width = max(20, self._console.width - 30)
        for job, (since, worker, expected) in longest[:_SHOWN_JOBS]:
            name = job if len(job) <= width else "…" + job[-width + 1 :]
            usual = f" (usually {duration(expected)})" if expected and now - since > expected else ""
            lines.append(Text(f"   {duration(now - since):>7}  {name}  {worker}{usual}", "dim", no_wrap=True))
        if len(longest) > _SHOWN_JOBS:
            lines.append(Text(f"   … {len(longest) - _SHOWN_JOBS} more", "dim"))
        return Group(*lines)
