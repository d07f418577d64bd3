"""Response files beside what they were for, as ninja leaves them: of commands that failed, to try these by hand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from coordinator.dispatch.report import RunReport
from shared.errors import named
from shared.model.action import ROOT
from shared.model.graph import Recipe


def settle(root: Path, recipes: Mapping[str, Recipe], ran: RunReport, *, keep: bool) -> None:
    """Those of imported commands that failed stay, those of others go unless they are to be kept; LocalError."""
    executed = [recipes[job] for job, how in ran.how.items() if how == "executed" and recipes[job].loose]
    if keep:
        leave(root, executed)
    else:
        take_away(root, executed)
    leave(root, (recipes[failure.job] for failure in ran.failures if recipes[failure.job].loose))


def leave(root: Path, recipes: Iterable[Recipe]) -> None:
    """Write those of some recipes to where their commands look for them; LocalError."""
    for recipe in recipes:
        for path, text in recipe.files:
            place = root / path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(os.fsencode(text.replace(ROOT, recipe.root)))
            except OSError as error:
                raise named(error, place, "writing") from error


def take_away(root: Path, recipes: Iterable[Recipe]) -> None:
    """Remove those of some recipes, where an earlier failure left them; LocalError."""
    for recipe in recipes:
        for path, _ in recipe.files:
            place = root / path
            try:
                place.unlink(missing_ok=True)
            except OSError as error:
                raise named(error, place, "removing") from error
