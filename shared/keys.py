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
from shared.relocation import portable

_ACTION = "windrow-action/1"
_TRACE = "windrow-trace/2"
_ROOTED = "windrow-rooted/1"
MARK = 4  # hexadecimal digits of a digest that tell two contents of one file apart, for people


class Body:
    """The part of a key that does not come from files; `root`: what is no part of any path in a key."""

    __slots__ = ("_fields", "_root")

    def __init__(  # noqa: PLR0913, PLR0917 - the fields of a key
        self,
        kind: str,
        argv: tuple[str, ...],
        env: tuple[tuple[str, str | None], ...],
        outputs: tuple[str, ...],
        depfile: str | None,
        tools: str,
        cwd: str = "",
        files: tuple[tuple[str, str], ...] = (),
        outside: tuple[tuple[str, str], ...] = (),
        root: str = "",
        notes: str = "",
        *,
        keeps_depfile: bool = False,
    ) -> None:
        self._root = root
        made, noted = tuple(map(self.at, outputs)), depfile and self.at(depfile)
        self._fields: tuple[object, ...] = (kind, argv, env, made, noted, tools)
        if cwd or files or outside:
            self._fields += (cwd, [(self.at(path), text) for path, text in files], outside)
        if notes:
            self._fields += (notes,)
        if keeps_depfile:
            self._fields += (True,)

    def at(self, path: str) -> str:
        """A path as keys have it."""
        return portable(path, self._root)

    def states(self, files: Iterable[Input]) -> list[tuple[str, str, str]]:
        """Files as keys have them, sorted."""
        return sorted((self.at(one.path), one.hash, one.mode) for one in files)

    def key(self, kind: str, *rest: object) -> str:
        """Digest of the body and what is added to it."""
        return hashing.of_value((kind, *self._fields, *rest))


def body_of(action: Action) -> Body:
    """The body of an action."""
    tools = action.tools or action.platform
    return Body(
        action.kind,
        action.argv,
        action.env,
        action.outputs,
        action.depfile,
        tools,
        action.cwd,
        action.files,
        action.outside,
        action.root,
        action.notes,
        keeps_depfile=action.keeps_depfile,
    )


def plain_key(body: Body, inputs: Iterable[Input]) -> str:
    """Action key of a recipe without a depfile: everything it is given counts."""
    return body.key(_ACTION, body.states(inputs))


def trace_key(body: Body, primary: Iterable[Input]) -> str:
    """Where the traces of a recipe with a depfile are kept."""
    return body.key(_TRACE, body.states(primary))


def state_beyond(paths: Iterable[str], digest: Callable[[str], str]) -> str:
    """What files outside the tree hold, all together; `digest` gives that of a path, "" where there is none."""
    held = [(path, digest(path)) for path in paths]
    return hashing.of_value(held) if held else ""


def traced_key(
    body: Body,
    primary: Iterable[Input],
    trace: Trace,
    find: Callable[[str], Input | None],
    candidates: Iterable[str],
    beyond: str = "",
) -> str | None:
    """Action key of a recipe under a trace; None when a file of the trace is not there any more.

    `find` gives the present state of a path; `candidates` are the paths that could be read now; `beyond`: the present
    state of what the trace has beyond the tree.
    """
    used = list(primary)
    own = {one.path for one in used}
    for path in trace.used:
        if path in own:
            continue
        found = find(path)
        if found is None:
            return None
        used.append(found if found.path == path else Input(path, found.hash, found.size, found.mode))
    shadows = sorted(map(body.at, shadowing(trace, candidates)))
    listed = (sorted(map(body.at, trace.listed)),) if trace.listed else ()
    return body.key(_ACTION, body.states(used), shadows, *listed, *((beyond,) if beyond else ()))


def rooted(key: str, root: str) -> str:
    """Where a result is kept whose outputs hold the absolute path of the tree they were made in."""
    return hashing.of_value([_ROOTED, key, root])


def shadowing(trace: Trace, candidates: Iterable[str]) -> list[str]:
    """The candidates that a run with this trace could have found under a name it asked for, sorted.

    What lies in a folder whose entries were asked for is found under any name.
    """
    probes = frozenset(trace.probes)
    if "*" in probes:
        return sorted(candidates)
    listed = frozenset(trace.listed)
    return sorted(
        path for path in candidates if basename(path) in probes or (listed and path.rpartition("/")[0] in listed)
    )


def given_trace(action: Action) -> Trace | None:
    """What an action without a depfile reads besides its own inputs: all it was given because a run asked for it."""
    extra = tuple(path for path in action.extra if path not in action.libraries) if action.libraries else action.extra
    return Trace(used=extra) if not action.tells and extra else None


def key_after_run(action: Action, trace: Trace | None, beyond: str = "") -> str:
    """Action key of an action that has run and told what it read; `beyond`: see traced_key."""
    body = body_of(action)
    by_path: Mapping[str, Input] = {i.path: i for i in action.inputs}
    primary = [by_path[path] for path in action.primary]
    if trace is None and (not action.tells or action.loose):
        # What else it was given, it was given in case it wanted it; nobody saw it read that.
        return plain_key(body, primary)
    trace = trace or Trace()
    unread = set(action.extra).difference(trace.used)
    could = (path for path in by_path if path not in unread)
    key = traced_key(body, primary, trace, by_path.get, could, beyond)
    if key is None:
        raise ValueError("a trace names a file the action was not given")
    return key
