"""The keys of a recipe in the present state of the tree."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator

from shared import keys
from shared.errors import GraphError
from shared.model.action import Input, Trace
from shared.model.graph import Recipe
from shared.model.path import normalise

Find = Callable[[str], Input | None]
Link = Callable[[str], str | None]
Beyond = Callable[[tuple[str, ...]], str]

_MOST_LINKS = 40  # as many as Linux follows in one path


def body_of(recipe: Recipe, platform: str) -> keys.Body:
    """The part of a recipe's keys that does not come from files of the tree."""
    tools = recipe.tools or platform
    return keys.Body(
        recipe.kind,
        recipe.argv,
        recipe.env,
        recipe.outputs,
        recipe.depfile,
        tools,
        recipe.cwd,
        recipe.files,
        recipe.outside,
        recipe.root,
        recipe.notes,
        keeps_depfile=recipe.keeps_depfile,
    )


def primary_of(recipe: Recipe, find: Find, link: Link) -> list[Input]:
    """The recipe's own inputs as they are now, with what symlinks among them lead to; GraphError if one is not there.

    link: what a symlink holds.
    """
    found: list[Input] = []
    for path in recipe.inputs:
        state = find(path)
        if state is None and recipe.loose:
            # Nothing says that its maker had to make it.
            continue
        if state is None:
            raise GraphError(f"missing input {path}", at=recipe.at, why=f"rule '{recipe.rule}' reads it")
        found.append(state)
        if recipe.loose and state.mode == "link":
            found.extend(_led_to(state, recipe, find, link))
    return list(dict.fromkeys(found))


def _led_to(state: Input, recipe: Recipe, find: Find, link: Link) -> Iterator[Input]:
    """What a symlink of the tree leads to, one step after the other, as far as that is files of the tree."""
    path = state.path
    for _ in range(_MOST_LINKS):
        target = link(path)
        if target is None:
            return
        if target.startswith("/"):
            target = posixpath.relpath(target, recipe.root)
        else:
            target = posixpath.join(posixpath.dirname(path), target)
        try:
            path = normalise(target)
        except ValueError:
            return  # out of the tree
        next_ = find(path)
        if next_ is None:
            return
        yield next_


def action_keys(
    recipe: Recipe,
    platform: str,
    find: Find,
    shadows: Callable[[Trace], Iterable[str]],
    own: Trace | None,
    traces: Callable[[str], Iterable[Trace]],
    link: Link,
    beyond: Beyond,
) -> Iterator[tuple[str, Trace | None]]:
    """The keys under which a result may be found, likeliest first, each with the trace it rests on.

    shadows: what could be found under the names that a trace asked for. own: the trace of the last run that is known.
    `traces` is asked with the recipe's trace key once no other key did. beyond: the present state of files outside the
    tree.
    """
    body = body_of(recipe, platform)
    primary = primary_of(recipe, find, link)

    def traced(trace: Trace) -> str | None:
        return keys.traced_key(body, primary, trace, find, shadows(trace), beyond(trace.beyond))

    seen: set[str | None] = {None}
    if own is not None and (key := traced(own)) is not None:
        seen.add(key)
        yield key, own
    if not recipe.tells or recipe.loose:
        yield keys.plain_key(body, primary), None
    for trace in traces(keys.trace_key(body, primary)):
        if (key := traced(trace)) not in seen:
            assert key is not None
            seen.add(key)
            yield key, trace
