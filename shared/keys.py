"""Keys: what an action is called, so that equal work is found again. Format: docs/design/keys.md.

Two kinds. The *action key* names an action by its command, environment, platform, outputs and the
content of what it reads. For a recipe with a depfile what it reads is known only from a trace of an
earlier run; the *trace key* names the recipe with its own inputs alone, and finds such traces.
After ccache's direct mode, with one addition: the action key also lists which candidates carry a
name that the run asked for, so a new header that would be found first changes the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from shared import hashing
from shared.model.action import Action, Input, Trace
from shared.model.path import basename

_ACTION = "windrow-action/1"
_TRACE = "windrow-trace/1"


class Body:
    """The part of a key that does not come from files."""

    __slots__ = ("argv", "depfile", "env", "kind", "outputs", "tools")

    def __init__(
        self,
        kind: str,
        argv: tuple[str, ...],
        env: tuple[tuple[str, str | None], ...],
        outputs: tuple[str, ...],
        depfile: str | None,
        tools: str,
    ) -> None:
        self.kind, self.argv, self.env = kind, argv, env
        self.outputs, self.depfile, self.tools = outputs, depfile, tools

    def key(self, kind: str, *rest: object) -> str:
        """Digest of the body and what is added to it."""
        body = (kind, self.kind, self.argv, self.env, self.outputs, self.depfile, self.tools)
        return hashing.of_value((*body, *rest))


def body_of(action: Action) -> Body:
    """The body of an action."""
    tools = action.tools or action.platform
    return Body(action.kind, action.argv, action.env, action.outputs, action.depfile, tools)


def plain_key(body: Body, inputs: Iterable[Input]) -> str:
    """Action key of a recipe without a depfile: everything it is given counts."""
    return body.key(_ACTION, [(i.path, i.hash, i.mode) for i in sorted(inputs)])


def trace_key(body: Body, primary: Iterable[Input]) -> str:
    """Where the traces of a recipe with a depfile are kept."""
    return body.key(_TRACE, [(i.path, i.hash, i.mode) for i in sorted(primary)])


def traced_key(
    body: Body,
    primary: Iterable[Input],
    trace: Trace,
    find: Callable[[str], Input | None],
    candidates: Iterable[str],
) -> str | None:
    """Action key of a recipe under a trace; None when a file of the trace is not there any more.

    `find` gives the present state of a path; `candidates` are the paths that could be read now.
    """
    used: list[tuple[str, str, str]] = [(i.path, i.hash, i.mode) for i in primary]
    own = {path for path, _, _ in used}
    for path in trace.used:
        if path in own:
            continue
        found = find(path)
        if found is None:
            return None
        used.append((path, found.hash, found.mode))
    return body.key(_ACTION, sorted(used), shadowing(trace, candidates))


def shadowing(trace: Trace, candidates: Iterable[str]) -> list[str]:
    """The candidates that a run with this trace could have found under a name it asked for, sorted."""
    probes = frozenset(trace.probes)
    if "*" in probes:
        return sorted(candidates)
    return sorted(path for path in candidates if basename(path) in probes)


def given_trace(action: Action) -> Trace | None:
    """What an action without a depfile reads besides its own inputs: all it was given because a run asked for it."""
    return Trace(used=action.extra) if action.depfile is None and action.extra else None


def key_after_run(action: Action, trace: Trace | None) -> str:
    """Action key of an action that has run and told what it read."""
    body = body_of(action)
    if action.depfile is None and trace is None:
        return plain_key(body, action.inputs)
    by_path: Mapping[str, Input] = {i.path: i for i in action.inputs}
    primary = [by_path[path] for path in action.primary]
    trace = trace or Trace()
    unread = set(action.extra).difference(trace.used)
    key = traced_key(body, primary, trace, by_path.get, (path for path in by_path if path not in unread))
    if key is None:
        raise ValueError("a trace names a file the action was not given")
    return key
