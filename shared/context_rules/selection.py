"""Which rules an output takes in, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from shared.context_rules.config import Selection
from shared.globs import compiled


class Ranked(Protocol):
    """What a rule, or its summary, can be chosen by."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def priority(self) -> int: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def globs(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def tags(self) -> tuple[str, ...]: ...  # noqa: D102


R = TypeVar("R", bound=Ranked)


def ranked(rules: Iterable[R], selection: Selection) -> list[R]:
    """The rules an output may take in: those always included, then by priority, highest first, ties by id."""
    first = {id_: number for number, id_ in enumerate(selection.always_include)}

    def rank(rule: R) -> tuple[int, int, str, str]:
        return first.get(rule.id, len(first)), -rule.priority, rule.id, rule.path

    return sorted((rule for rule in rules if rule.id in first or _wanted(rule, selection)), key=rank)


def fitting(rules: Sequence[R], room: int | None, cost: Callable[[R], int]) -> list[R]:
    """Those of ranked rules that fit into so many tokens, in their order: a large one makes no small one stay away."""
    if room is None:
        return list(rules)
    chosen: list[R] = []
    for rule in rules:
        if (needed := cost(rule)) <= room:
            chosen.append(rule)
            room -= needed
    return chosen


def _wanted(rule: Ranked, selection: Selection) -> bool:
    match selection.strategy:
        case "directory":
            return any(rule.path.startswith(f"{folder.strip('/')}/") for folder in selection.include_dirs)
        case "glob":
            return any(_matches(pattern, rule) for pattern in selection.include_globs)
        case "tag":
            return not set(rule.tags).isdisjoint(selection.include_tags)
        case _:
            return True


def _matches(pattern: str, rule: Ranked) -> bool:
    try:
        return pattern in rule.globs or compiled(pattern).matches(rule.path)
    except ValueError:
        return False
