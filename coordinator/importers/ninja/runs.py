"""What the last runs of an imported build's jobs told of the order between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from shared.model.graph import Recipe
from shared.model.manifest import JobEntry


def ordered(recipes: Iterable[Recipe], jobs: Mapping[str, JobEntry]) -> list[Recipe]:
    """The recipes, each after those that make what it was seen to read."""
    recipes = list(recipes)
    made = {path for recipe in recipes for path in recipe.outputs}
    found: list[Recipe] = []
    for recipe in recipes:
        entry = jobs.get(recipe.id)
        if entry is not None and entry.trace is not None and not made.isdisjoint(entry.trace.used):
            own = {*recipe.outputs, *recipe.inputs, *recipe.after}
            more = sorted(path for path in entry.trace.used if path in made and path not in own)
            if more:
                found.append(msgspec.structs.replace(recipe, after=(*recipe.after, *more)))
                continue
        found.append(recipe)
    return found


def undeclared(recipes: Iterable[Recipe], jobs: Mapping[str, JobEntry]) -> dict[str, tuple[str, ...]]:
    """The paths that jobs make and their edges do not name as outputs, by id: those of the last runs, and depfiles."""
    found: dict[str, tuple[str, ...]] = {}
    for recipe in recipes:
        entry = jobs.get(recipe.id)
        if entry is not None and entry.also:
            found[recipe.id] = entry.also
        if recipe.keeps_depfile:
            found[recipe.id] = (*found.get(recipe.id, ()), *recipe.kept_depfile)
    return found
