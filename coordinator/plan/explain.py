"""Renders, for any target, the chain of reasons it will run; from the reasons the planner gave, never anew."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Protocol

from shared.model.plan import (
    AlwaysRuns,
    BlobLost,
    CommandChanged,
    EnvironmentChanged,
    FailedBefore,
    Forced,
    InputAdded,
    InputChanged,
    InputRemoved,
    NeverBuilt,
    OutputAltered,
    OutputMissing,
    Reason,
    ToolchainChanged,
    Upstream,
)

_SHOWN = 19  # `sha256:` and 12 digits

_LONGEST = 40  # characters of a value that are shown


def sentence(reason: Reason) -> str:  # noqa: PLR0911 - one return a reason
    """One reason in words."""
    match reason:
        case InputChanged(path, was, now):
            return f"{path} changed ({was[:_SHOWN]} → {now[:_SHOWN]})"
        case InputAdded(path):
            return f"{path} is a new input"
        case InputRemoved(path):
            return f"{path} is no longer an input"
        case CommandChanged(was, now):
            return _values(was, now) or "its command changed: " + _difference(was, now)
        case EnvironmentChanged(name, was, now):
            return f"environment variable {name} changed: {_value(was)} → {_value(now)}"
        case ToolchainChanged(was, now):
            return f"the toolchain changed: {was or 'none'} → {now or 'none'}"
        case OutputMissing(path):
            return f"its output {path} is missing"
        case OutputAltered(path):
            return f"its output {path} was altered since it was built"
        case BlobLost(path):
            return f"the stored bytes of its output {path} are gone or damaged"
        case FailedBefore(build):
            return f"it failed in build {build}"
        case Upstream(job):
            return f"{job} must run"
        case AlwaysRuns(path):
            return f"its output {path} was not made when it ran" if path else "what it needs is never up to date"
        case NeverBuilt():
            return "it has not been built before"
        case Forced():
            return "a full build was asked for"


class Explained(Protocol):
    """A job with the reasons it was planned for."""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it must run, or had to."""
        ...


def chain(jobs: Mapping[str, Explained], id_: str) -> Iterator[tuple[int, str]]:
    """Lines of (indentation, text) from a job down to what set it off; each job is spelled out once."""
    told: set[str] = set()
    stack = [(0, id_)]
    while stack:
        depth, current = stack.pop()
        job = jobs[current]
        if current in told:
            yield depth, f"{current} (see above)"
            continue
        told.add(current)
        yield depth, current
        for reason in job.reasons:
            if not isinstance(reason, Upstream):
                yield depth + 1, f"because {sentence(reason)}"
        ups = [reason.job for reason in job.reasons if isinstance(reason, Upstream)]
        known = [up for up in ups if up in jobs]
        stack.extend((depth + 1, up) for up in reversed(known))


def _values(was: tuple[str, ...], now: tuple[str, ...]) -> str:
    """How the inputs' values differ of which two jobs of a blueprint are made; empty if they are none."""
    import json  # noqa: PLC0415 - only where somebody asks

    try:
        (_, one), (_, two) = was, now
        before, after = json.loads(one)["values"], json.loads(two)["values"]
    except (ValueError, KeyError, TypeError):
        return ""
    return ", ".join(
        f"Input:{name} changed: {_short(before.get(name))} → {_short(after.get(name))}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _short(value: object) -> str:
    text = str(value)
    return f"'{text}'" if len(text) <= _LONGEST else f"'{text[:_LONGEST]}…'"


def _difference(was: tuple[str, ...], now: tuple[str, ...]) -> str:
    gone = [word for word in was if word not in now]
    new = [word for word in now if word not in was]
    if not gone and not new:
        return f"{shlex.join(was)} → {shlex.join(now)}"
    return f"{shlex.join(gone) or '(nothing)'} → {shlex.join(new) or '(nothing)'}"


def _value(value: str | None) -> str:
    return "unset" if value is None else repr(value)
