"""Calls: jobs whose program is a Python function. What a target names, and what identifies it in a key.

A target is `path/in/tree.py:function`, or a registered name: one that comes with Windrow, or an entry point of the
group `windrow.calls`. Format: docs/design/calls.md.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from shared import hashing
from shared.errors import GraphError
from shared.version import VERSION

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

KIND = "call"
GROUP = "windrow.calls"
_IN_TREE = re.compile(r"(.+\.py):([A-Za-z_]\w*)")


class Refused(Exception):
    """Raised by a call whose input is at fault: the message is all that is told of it, without a traceback."""


class BuiltIn(NamedTuple):
    """Where a call that comes with Windrow is (`module:function`), and the version of what it makes.

    The version is part of every key: it goes up with each change of the outputs.
    """

    where: str
    version: int


BUILT_IN: dict[str, BuiltIn] = {
    "context-rules.parse": BuiltIn("workers.calls.context_rules:parse", 1),
    "context-rules.mdc": BuiltIn("workers.calls.context_rules:mdc", 1),
    "context-rules.lint": BuiltIn("workers.calls.context_rules:lint", 1),
    "context-rules.choose": BuiltIn("workers.calls.context_rules:choose", 1),
    "context-rules.tell": BuiltIn("workers.calls.context_rules:tell", 1),
    "context-rules.claude": BuiltIn("workers.calls.context_rules:claude", 1),
    "context-rules.agents": BuiltIn("workers.calls.context_rules:agents", 1),
    "mock.script": BuiltIn("workers.calls.producers:script", 1),
    "mock.text": BuiltIn("workers.calls.producers:text", 1),
    "mock.timeline": BuiltIn("workers.calls.producers:timeline", 1),
}


def in_tree(target: str) -> tuple[str, str] | None:
    """File and function of a target that names a file of the project; None for a registered name."""
    found = _IN_TREE.fullmatch(target)
    return (found[1], found[2]) if found else None


def identity(target: str, *, at: str = "") -> str:
    """What a call is, besides the file it lies in: the part of a key that names its program.

    Raises GraphError for a name that is registered nowhere; `at` is where it was read.
    """
    if in_tree(target):
        # The file is an input of the job. Another minor version of Python may make something else of it.
        return f"call python{sys.version_info.major}.{sys.version_info.minor}"
    if target in BUILT_IN:
        return f"call {target} {BUILT_IN[target].version}"
    point = _points().get(target)
    if point is None:
        raise _unknown(target, at)
    return _identity_of(point)


def where(target: str) -> str:
    """`module:function` of a registered name; KeyError for one that is registered nowhere."""
    return BUILT_IN[target].where if target in BUILT_IN else _points()[target].value


def files(target: str) -> tuple[str, ...]:
    """The files of this machine that a registered call is, as far as they are looked at; none for one of the tree."""
    if in_tree(target) or target in BUILT_IN:
        return ()
    point = _points().get(target)
    file = _file(point) if point is not None else None
    return (file,) if file else ()


@cache
def _points() -> dict[str, EntryPoint]:
    from importlib import metadata  # noqa: PLC0415 - 15 ms, for who has such calls

    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def _identity_of(point: EntryPoint) -> str:
    dist, file = point.dist, _file(point)
    package = f"{dist.name} {dist.version}" if dist is not None else f"windrow {VERSION}"
    # An editable install changes without its version.
    content = hashing.of_file(file)[0] if file else ""
    return f"call {point.name} {package} {content}".rstrip()


def _file(point: EntryPoint) -> str:
    """The file its module is, without importing it; empty if there is none."""
    from importlib import util  # noqa: PLC0415 - as above

    try:
        spec = util.find_spec(point.module)
    except (ImportError, ValueError):
        return ""
    return spec.origin if spec is not None and spec.origin and spec.has_location else ""


def _unknown(target: str, at: str) -> GraphError:
    import difflib  # noqa: PLC0415 - only for a typo

    known = sorted({*BUILT_IN, *_points()})
    close = difflib.get_close_matches(target, known, n=1)
    return GraphError(
        f"unknown call '{target}'",
        at=at,
        why=f"it is neither a file and a function of the project (tools/pages.py:page) nor one of: {', '.join(known)}",
        fix=f"did you mean {close[0]}?" if close else f"install the package that has it as an entry point of {GROUP}",
    )
