"""What stands on the screen when a build has ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from cli.render import duration, plural, size
from coordinator.progress import Failure
from coordinator.report import BuildReport
from shared.model.manifest import revision_name

_SHOWN_FAILURES = 10
# Of a long output: where a compiler says what is wrong first, and where a test run says what failed.
FIRST_LINES, FIRST_CHARACTERS = 50, 16 << 10
LAST_LINES, LAST_CHARACTERS = 150, 48 << 10


def lines(report: BuildReport) -> Iterator[str]:
    """Failures with their output, then what was done, what was saved and what became of the revision."""
    if report.status == "no-changes":
        where = f", {revision_name(report.base_revision)}" if report.base_revision else ""
        yield f"No changes detected ({plural(report.files, 'file')} checked in {duration(report.seconds)}{where})."
        if report.executed:
            yield f"{plural(report.executed, 'job')} executed before the sources were changed back."
        return
    for failure in report.failures[:_SHOWN_FAILURES]:
        yield ""
        yield from failure_lines(failure, report.build)
    if len(report.failures) > _SHOWN_FAILURES:
        yield f"and {len(report.failures) - _SHOWN_FAILURES} more failures"
    if report.failures:
        yield ""
    yield _headline(report)
    if report.repeated:
        yield f"{plural(report.repeated, 'job')} run again for files not given at first; the warnings above name them"
    yield from _cache(report)
    yield from _outputs(report)


def failure_lines(failure: Failure, build: str) -> Iterator[str]:
    """One failed job: what it printed, shortened where it is long, and how to do it again."""
    ended = failure.message or f"exit {failure.exit_code}"
    yield f"FAILED  {failure.job}  ({ended}, {duration(failure.seconds)}, {failure.worker or 'here'})"
    for line in shortened(failure.output, f"windrow log {shlex.quote(failure.job)} --build {build}"):
        yield f"   {line}"
    yield f"   reproduce:  {failure.command}"
    if failure.at:
        yield f"   rule:       {failure.rule} ({failure.at})"


def shortened(output: str, whole: str) -> Iterator[str]:
    """The lines of an output; of a long one its beginning and its end. whole: the command that shows all of it."""
    lines = output.splitlines()
    if len(lines) <= FIRST_LINES + LAST_LINES and len(output) <= FIRST_CHARACTERS + LAST_CHARACTERS:
        yield from lines
        return
    first = output[:FIRST_CHARACTERS].splitlines()[:FIRST_LINES]
    last = output[-LAST_CHARACTERS:].splitlines()[-LAST_LINES:]
    left = len(output) - sum(len(line) + 1 for line in (*first, *last))
    yield from first
    yield f"… {size(left)} left out; all of it: {whole}"
    yield from last


def _headline(report: BuildReport) -> str:
    ok = report.executed + sum(report.reused.values())
    if report.status == "failed":
        counts = [plural(report.failed, "job") + " failed"]
        if report.skipped:
            counts.append(f"{report.skipped} skipped because of that")
        counts.append(f"{ok} ok")
        return f"build {report.build} failed: {', '.join(counts)}  {duration(report.seconds)}"
    if report.status == "interrupted":
        return f"build {report.build} interrupted: {ok} of {report.planned} jobs done  {duration(report.seconds)}"
    done = f"{plural(report.executed, 'job')} executed, {ok - report.executed} reused"
    return f"build {report.build} ok: {done}  {duration(report.seconds)}"


def _cache(report: BuildReport) -> Iterator[str]:
    reused = sum(report.reused.values())
    if not reused and not report.bytes_up and not report.bytes_down:
        return
    names = (("cut_off", "with equal inputs"), ("local", "local"), ("remote", "remote"), ("shared", "shared"))
    parts = [f"{report.reused[name]} {words}" for name, words in names if report.reused.get(name)]
    text = f"cache  {reused}/{report.planned} reused" + (f" ({', '.join(parts)})" if parts else "")
    if report.bytes_down or report.bytes_up:
        text += f", {size(report.bytes_down)} down, {size(report.bytes_up)} up"
    if report.saved_seconds >= 0.01:
        text += f", saved about {duration(report.saved_seconds)} of compute"
    yield text


def _outputs(report: BuildReport) -> Iterator[str]:
    written = plural(report.outputs_written, "output") + " written"
    if report.outputs_removed:
        written += f", {report.outputs_removed} removed"
    if report.revision:
        was = revision_name(report.base_revision) if report.base_revision else "none"
        yield f"{written}; revision {was} → {revision_name(report.revision)}"
    else:
        still = f"still {revision_name(report.base_revision)}" if report.base_revision else "still none"
        yield f"{written}; nothing committed ({still}{': ' + report.not_committed if report.not_committed else ''})"
