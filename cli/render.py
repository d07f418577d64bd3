"""Values to text; with the progress modules the only place that prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from shared.errors import LocalError, WindrowError, named
from shared.redaction import redact

# What of the result could not be written, once something could not.
_lost: list[LocalError] = []


def out(text: str = "") -> None:
    """A line of the result, on stdout."""
    _say(text, sys.stdout)


def raw(text: str, *, at_once: bool = False) -> None:
    """Text on stdout that brings its own ends of lines; at_once: for who watches."""
    _say(text, sys.stdout, end="", at_once=at_once)


def err(text: str = "") -> None:
    """A line for the person watching, on stderr."""
    _say(redact(text), sys.stderr)


def as_json(value: Any) -> None:
    """One object on stdout."""
    import json  # noqa: PLC0415 - not for a build with nothing to do

    _say(json.dumps(value, indent=2, ensure_ascii=False), sys.stdout)


def flush() -> LocalError | None:
    """Have all that was said reach its readers, if there still are any; why the result could not be written."""
    for stream in (sys.stdout, sys.stderr):
        _say("", stream, end="", at_once=True)
    return _lost[0] if _lost else None


def _say(text: str, stream: TextIO, end: str = "\n", *, at_once: bool = False) -> None:
    try:
        stream.write(text + end)
        if at_once:
            stream.flush()
    except OSError as error:
        _muffle(stream, error)


def _muffle(stream: TextIO, error: OSError) -> None:
    """Say the rest to nobody: a build goes on, and the exit code tells how it ended.

    That the reader went away, as in `windrow show | head`, is no error. That a disk is full is one where the result was
    to go there.
    """
    number = stream.fileno()
    if stream is sys.stdout and not isinstance(error, BrokenPipeError):
        _lost.append(named(error, Path(f"/proc/self/fd/{number}").readlink(), "writing the result to"))
    nobody = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, number)
    os.close(nobody)


def error_text(error: WindrowError) -> str:
    """What, at, why, fix."""
    lines = [f"error[{error.code}]: {error.what}"]
    more = (("at", error.at), ("why", error.why), ("fix", error.fix))
    lines += [f"  {name:>3}: {text}" for name, text in more if text]
    return "\n".join(lines)


def error_json(error: WindrowError) -> dict[str, Any]:
    """The same as an object."""
    fields = {"code": error.code, "what": error.what, "at": error.at, "why": error.why, "fix": error.fix}
    return {"schema": "windrow.error/1", "error": {name: redact(text) for name, text in fields.items() if text}}


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str] = ()) -> Iterable[str]:
    """Left-aligned columns."""
    everything = [head, *rows] if head else list(rows)
    if not everything:
        return
    widths = [max(len(row[i]) for row in everything) for i in range(len(everything[0]))]
    for row in everything:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def duration(seconds: float) -> str:
    """0.42s, 12.3s, 3m05s, 2h07m."""
    if seconds < 9.95:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"


def size(count: float) -> str:
    """812 B, 1.2 KB, 41 MB."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def plural(count: int, noun: str) -> str:
    """1 job, 2 jobs, 2 batches."""
    ending = "" if count == 1 else "es" if noun.endswith(("ch", "s", "x")) else "s"
    return f"{count:,} {noun}{ending}"
