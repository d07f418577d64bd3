"""Progress in the words of ninja: NINJA_STATUS, what each edge does, what failed; on stdout, as tools expect it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping

from cli.ninja_options import Fatal
from cli.render import err, raw
from coordinator.progress import Failure, How
from shared.model.graph import BuildGraph, Recipe
from shared.model.plan import Plan

CONSOLE = "console"  # the pool whose jobs have the terminal, one at a time
DEFAULT_STATUS = "[%f/%t] "
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES = frozenset("strufpPocewEW%")
# What ninja takes out of what commands print where nobody could see colours, and what takes no room on a line.
_ESCAPE = re.compile(r"\x1b(?:\[[^A-Za-z]*[A-Za-z]?)?")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_ELLIPSIS = "..."
_HOUR = 3600  # seconds


class NinjaProgress:
    """A line an edge; on a terminal one line that is written over, unless a command printed something."""

    def __init__(self, *, verbose: bool = False, quiet: bool = False, environ: Mapping[str, str] = os.environ) -> None:
        self._verbose, self._quiet = verbose, quiet
        self._status = environ.get("NINJA_STATUS", DEFAULT_STATUS)
        for found in _DIRECTIVE.finditer(self._status):
            if found[1] not in _DIRECTIVES:
                raise Fatal(f"unknown placeholder '{found[0]}' in $NINJA_STATUS")
        able = sys.stdout.isatty() and environ.get("TERM", "dumb") != "dumb"
        # Whole commands are not to be written over.
        self._lively = able and not verbose
        self._colours = able or environ.get("CLICOLOR_FORCE", "0") != "0"
        self._recipes: Mapping[str, Recipe] = {}
        self._total = self._finished = 0
        self._running: set[str] = set()
        self._done: set[str] = set()
        self._spared: set[str] = set()  # planned, and then found to be as it was
        self._began = time.monotonic()
        self._console = ""  # the job that has the terminal
        self._held: list[str] = []  # what is to be printed once it has not
        self._over = False  # whether the cursor stands behind a line that may be written over
        self._how: dict[str, str] = {}

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        """See BuildObserver."""
        self._recipes = graph.recipes
        self._spared.clear()
        if self._finished == self._total and self._done.isdisjoint(plan.jobs):
            # What was to be made before this could be planned is part of it.
            self._total += len(plan.jobs)
            return
        self._total, self._finished = len(plan.jobs), 0
        self._done.clear()

    def added(self, job: str) -> None:
        """See BuildObserver."""
        self._total += 1

    def started(self, job: str, worker: str) -> None:
        """See BuildObserver."""
        self._running.add(job)
        recipe = self._recipes.get(job)
        if recipe is not None and recipe.pool == CONSOLE and not self._console:
            # Its own line comes before what it prints; as ninja, all others wait.
            if not self._quiet:
                self._line(job)
            self._end_line()
            raw("", at_once=True)
            self._console = job
        elif self._lively and not self._quiet:
            self._line(job)

    def finished(self, job: str, how: How, seconds: float) -> None:
        """See BuildObserver."""
        self._how[job] = how
        if how == "cut_off" and job not in self._done:
            # As with ninja's restat: it turned out not to be part of the plan, so nobody hears that it ran.
            self._total -= job not in self._spared
            self._spared.add(job)
            return
        self._ended(job, note="" if how in ("executed", "cut_off") else f" ({how} cache)")

    def said(self, job: str, text: str) -> None:
        """See BuildObserver."""
        self._plain(self._shown(text))

    def failed(self, failure: Failure) -> None:
        """See BuildObserver."""
        self._how[failure.job] = "failed"
        self._ended(failure.job)
        recipe = self._recipes.get(failure.job)
        outputs = " ".join(recipe.told) if recipe else failure.job
        command = recipe.command[-1] if recipe else failure.command
        code = failure.exit_code or 1
        failed = f"FAILED: [code={code}] "
        failed = f"\x1b[31m{failed}\x1b[0m" if self._colours else failed
        # The code is told already; what else is wrong is not, whatever the command printed.
        message = "" if failure.message == f"exit code {failure.exit_code}" else failure.message
        said = "".join(f"{text}\n" for text in (self._shown(failure.output).rstrip("\n"), message) if text)
        self._plain(f"{failed}{outputs} \n{command}\n{said}")

    def skipped(self, job: str, because: str) -> None:
        """See BuildObserver."""

    def remaking(self, text: str, why: str, command: str) -> int:
        """See BuildObserver."""
        if not self._quiet:
            told = command if self._verbose else text
            self._plain(f"{'' if self._status != DEFAULT_STATUS else '[0/1] '}{told}")
        raw("", at_once=True)
        return 1

    def warned(self, text: str) -> None:
        """See BuildObserver."""
        self._end_line()
        err(f"windrow: {text}")

    def edges(self) -> list[tuple[Recipe, str]]:
        """Every edge that was looked at, and how its outputs were come by: a How, or "failed"."""
        return [(self._recipes[job], how) for job, how in self._how.items() if job in self._recipes]

    def close(self) -> None:
        """Leave the cursor at the start of a line."""
        self._release()
        self._end_line()

    def _ended(self, job: str, note: str = "") -> None:
        """A job's own line counts it among those that run, as ninja's does."""
        self._running.discard(job)
        self._total += job in self._spared
        self._spared.discard(job)
        self._done.add(job)  # once, even if it had to be done again
        self._finished = len(self._done)
        if job == self._console:
            self._release()
        elif not self._quiet:
            self._line(job, note, ending=1)

    def _line(self, job: str, note: str = "", *, ending: int = 0) -> None:
        recipe = self._recipes.get(job)
        text = job
        if recipe is not None:
            text = recipe.command[-1] if self._verbose or not recipe.description else recipe.description
        text = self._filled(ending) + text + note
        if self._console:
            self._held.append(text)
            return
        if not self._lively:
            self._plain(text)
            return
        raw(f"\r{elided(text, _columns())}\x1b[K", at_once=True)
        self._over = True

    def _filled(self, ending: int) -> str:
        elapsed = time.monotonic() - self._began
        rate = self._finished / elapsed if elapsed > 0 else 0.0
        if self._status == DEFAULT_STATUS:
            return f"[{self._finished}/{self._total}] "
        values = {
            "s": str(self._finished + len(self._running)),
            "t": str(self._total),
            "r": str(len(self._running) + ending),
            "u": str(max(0, self._total - self._finished - len(self._running))),
            "f": str(self._finished),
            "p": f"{100 * self._finished // max(1, self._total):3d}%",
            "P": f"{100 * self._finished // max(1, self._total):3d}%",
            "o": f"{rate:.1f}",
            "c": f"{rate:.1f}",
            "e": f"{elapsed:.3f}",
            "w": _clock(elapsed),
            "E": f"{(self._total - self._finished) / rate if rate else 0:.3f}",
            "W": _clock((self._total - self._finished) / rate if rate else 0),
            "%": "%",
        }
        return _DIRECTIVE.sub(lambda found: values.get(found[1], found[0]), self._status)

    def _release(self) -> None:
        """The terminal is free again."""
        self._console = ""
        for text in self._held:
            self._plain(text)
        self._held.clear()

    def _plain(self, text: str) -> None:
        if self._console:
            self._held.append(text)
            return
        self._end_line()
        raw(text if text.endswith("\n") else text + "\n", at_once=True)

    def _shown(self, text: str) -> str:
        """What a command printed, without colours where these cannot be shown."""
        return text if self._colours else _ESCAPE.sub("", text)

    def _end_line(self) -> None:
        if self._over:
            raw("\n")
            self._over = False


def _columns() -> int:
    """How wide the terminal is now; 0 where it does not say."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 0


def elided(text: str, width: int) -> str:
    """A line with its middle left out where it is longer than `width`, unless that is 0; colours take no room."""
    if not width or len(text) <= width:
        return text
    pieces = _COLOUR.split(text)  # text and colours in turn
    visible = sum(map(len, pieces[::2]))
    if visible <= width:
        return text
    room = max(0, width - len(_ELLIPSIS))
    left, right, dots = room // 2, visible - (room - room // 2), _ELLIPSIS[:width]
    shown: list[str] = []
    at = 0
    for number, piece in enumerate(pieces):
        if number % 2:
            # Also those of what is left out: they colour what comes behind.
            shown.append(piece)
            continue
        end = at + len(piece)
        shown.append(piece[: max(0, left - at)])
        if at <= left < end:
            shown.append(dots)
        shown.append(piece[max(0, right - at) :])
        at = end
    return "".join(shown)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours = f"{minutes // 60}:" if seconds >= _HOUR else ""
    return f"{hours}{minutes % 60:02d}:{rest:02d}"
