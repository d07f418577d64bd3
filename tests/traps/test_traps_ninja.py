"""Windrow walks into the traps with a build.ninja: the right outcome and no needless work, or what ninja does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.traps.arena import Arena
from tests.traps.engines import ENGINES
from tests.traps.table import AS_NINJA, NOT_IN_NINJA, TRAPS
from tests.traps.verdict import NotExpressible, Trap, Verdict

_ENGINE = ENGINES["windrow-ninja"]
# Long, and with rules of windrow.toml in the ordinary suite; what they are about does not know where rules come from.
_LONG = frozenset(
    (
        "damaged_local_state",
        "damaged_local_state_file_by_file",
        "disk_full_while_committing",
        "five_edits_each_straight_after_a_build",
        "git_stash_and_pop",
        "mtimes_before_1970_and_far_ahead",
        "names_that_differ_in_unicode_form_or_case_only",
        "odd_names_in_depfiles",
        "there_and_back_again",
    )
)


def _test_of(trap: Trap) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        with Arena(_ENGINE, tmp_path, inside=True) as arena:
            try:
                trap.run(arena)
            except NotExpressible:
                pytest.skip("this machine does not let the scenario happen")

        expected, _ = AS_NINJA.get(trap.name, (Verdict.RIGHT, ""))
        assert arena.verdict is expected, "\n".join(f"{verdict.name}: {text}" for verdict, text in arena.findings)

    test.__doc__ = trap.title
    return pytest.mark.slow(test) if trap.name in _LONG else test


for _trap in TRAPS:
    if _trap.name not in NOT_IN_NINJA and _ENGINE.name in (_trap.only or (_ENGINE.name,)):
        globals()[_trap.test_name] = _test_of(_trap)


def test_every_trap_is_walked_into_or_there_is_a_reason() -> None:
    not_walked = {trap.name for trap in TRAPS if trap.only and _ENGINE.name not in trap.only}

    assert not_walked <= NOT_IN_NINJA.keys()
    assert AS_NINJA.keys() | NOT_IN_NINJA.keys() <= {trap.name for trap in TRAPS}


def test_the_new_header_that_shadows_is_among_them() -> None:
    assert "test_trap_26_new_header_shadows_the_one_that_was_read" in globals()
