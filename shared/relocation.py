"""Paths of results in the words of any checkout: CMake names objects after absolute paths of their sources. Pure.

What is stored for all holds a mark where a path holds that of its tree; whoever takes it puts its own there. Paths of a
tree whose root is that of the machine are the same anywhere.
"""

from __future__ import annotations

import msgspec

from shared.model.action import ROOT, ActionResult, Trace

_ANYWHERE = ("", "/")


def portable(path: str, root: str) -> str:
    """A path with the mark for the tree's own path, wherever that occurs."""
    return path.replace(root, ROOT) if root not in _ANYWHERE and root in path else path


def portable_result(result: ActionResult, root: str) -> ActionResult:
    """A result as it is stored."""
    return _result(result, root, ROOT) if root not in _ANYWHERE else result


def local_result(result: ActionResult, root: str) -> ActionResult:
    """A stored result as it is in a tree at `root`."""
    return _result(result, ROOT, root) if root not in _ANYWHERE else result


def portable_trace(trace: Trace, root: str) -> Trace:
    """A trace as it is stored."""
    return _trace(trace, root, ROOT) if root not in _ANYWHERE else trace


def local_trace(trace: Trace, root: str) -> Trace:
    """A stored trace as it is in a tree at `root`."""
    return _trace(trace, ROOT, root) if root not in _ANYWHERE else trace


def _result(result: ActionResult, was: str, now: str) -> ActionResult:
    trace = None if result.trace is None else _trace(result.trace, was, now)
    outputs = result.outputs
    if any(was in output.path for output in outputs):
        outputs = tuple(
            msgspec.structs.replace(output, path=output.path.replace(was, now)) for output in result.outputs
        )
    return msgspec.structs.replace(result, outputs=outputs, trace=trace)


def _trace(trace: Trace, was: str, now: str) -> Trace:
    if not any(was in path for path in (*trace.used, *trace.listed)):
        return trace
    used, listed = (tuple(sorted(path.replace(was, now) for path in one)) for one in (trace.used, trace.listed))
    return msgspec.structs.replace(trace, used=used, listed=listed)
