"""The keys of a recipe in the present state of the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from shared import keys
from shared.errors import GraphError
from shared.model.action import Input, Trace
from shared.model.graph import Recipe

Find = Callable[[str], Input | None]


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
    )


def primary_of(recipe: Recipe, find: Find) -> list[Input]:
    """The recipe's own inputs as they are now; GraphError if one is not there."""
    found: list[Input] = []
    for path in recipe.inputs:
        state = find(path)
        if state is None and recipe.loose:
            # Nothing says that its maker had to make it.
            continue
        if state is None:
            raise GraphError(f"missing input {path}", at=recipe.at, why=f"rule '{recipe.rule}' reads it")
        found.append(state)
    return found


def action_keys(
    recipe: Recipe,
    platform: str,
    find: Find,
    shadows: Callable[[Trace], Iterable[str]],
    traces: Callable[[str], Iterator[Trace]],
) -> Iterator[tuple[str, Trace | None]]:
    """The keys under which a result may be found, likeliest first, each with the trace it rests on.

    shadows: what could be found under the names that a trace asked for. `traces` is asked with the recipe's trace key
    once the plain key (if any) did not do.
    """
    body = body_of(recipe, platform)
    primary = primary_of(recipe, find)
    if recipe.depfile is None or recipe.loose:
        yield keys.plain_key(body, primary), None
    seen: set[str] = set()
    for trace in traces(keys.trace_key(body, primary)):
        key = keys.traced_key(body, primary, trace, find, shadows(trace))
        if key is not None and key not in seen:
            seen.add(key)
            yield key, trace
