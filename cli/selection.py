"""What is said of tests: which of them run and why, and what ties them to files; for windrow test and affected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cli import render
from coordinator.select.selector import Choice, Selection
from shared.errors import UsageError

if TYPE_CHECKING:
    from coordinator.select.ties import Tie


def no_tests() -> UsageError:
    """For a project without [tests]."""
    return UsageError("this project has no tests", at="windrow.toml", fix="add [tests]; all its keys have defaults")


def selection_lines(selection: Selection) -> list[str]:
    """Every test with why it runs, then every other with why not."""
    count = len(selection.selected) + len(selection.skipped)
    lines = [f"{len(selection.selected)} of {render.plural(count, 'test file')} to run"]
    lines += [f"run   {choice.test}  because {_because(choice)}" for choice in selection.selected]
    lines += [f"skip  {choice.test}  because {choice.reason}" for choice in selection.skipped]
    return lines


def selection_json(selection: Selection) -> dict[str, Any]:
    """`selected` and `skipped` of windrow.tests/1."""
    return {
        "selected": [msgspec.to_builtins(choice) for choice in selection.selected],
        "skipped": [msgspec.to_builtins(choice) for choice in selection.skipped],
    }


def tell_ties(head: str, path: str, found: tuple[Tie, ...], *, is_test: bool, as_json: bool, **more: str) -> None:
    """Print what ties tests and a file to each other, under a headline."""
    if as_json:
        told = [msgspec.to_builtins(one) for one in found]
        render.as_json({"schema": "windrow.test-ties/1", **more, "file": path, "is_test": is_test, "ties": told})
        return
    render.out(head)
    for one in found:
        why = " → ".join(one.chain) or one.text or one.how
        name = one.path or "(its job)" if is_test else one.test
        render.out(f"  {name}  {one.how}{'' if why == one.how else ': ' + why}")


def _because(choice: Choice) -> str:
    return f"{choice.reason} ({' → '.join(choice.chain)})" if choice.chain else choice.reason
