"""Files beside outputs, as ninja leaves them: response files of commands that failed, depfiles that none is to keep."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from coordinator.dispatch.report import RunReport
from shared.errors import named
from shared.model.action import unmarked
from shared.model.graph import Recipe


def settle(
    root: Path, recipes: Mapping[str, Recipe], ran: RunReport, *, keep_response_files: bool, keep_depfiles: bool
) -> None:
    """Of imported commands: response files of those that failed stay; what was taken in goes, unless it is to be kept.

    LocalError.
    """
    executed = [recipes[job] for job, how in ran.how.items() if how == "executed" and recipes[job].loose]
    if keep_response_files:
        leave(root, executed)
    else:
        take_away(root, (path for recipe in executed for path, _ in recipe.files))
    if not keep_depfiles:
        taken_in = ((one.depfile, one.outputs) for one in executed if one.depfile and not one.keeps_depfile)
        take_away(root, (depfile for depfile, outputs in taken_in if depfile not in outputs))
    leave(root, (recipes[failure.job] for failure in ran.failures if recipes[failure.job].loose))


def leave(root: Path, recipes: Iterable[Recipe]) -> None:
    """Write the response files of some recipes to where their commands look for them; LocalError."""
    for recipe in recipes:
        for path, text in recipe.files:
            place = root / path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(os.fsencode(unmarked(text, recipe.root)))
            except OSError as error:
                raise named(error, place, "writing") from error


def take_away(root: Path, paths: Iterable[str]) -> None:
    """Remove files that may be there: a failure left them, or a command that ran in the tree itself; LocalError."""
    for path in paths:
        place = root / path
        try:
            place.unlink(missing_ok=True)
        except NotADirectoryError:
            continue
        except OSError as error:
            raise named(error, place, "removing") from error
