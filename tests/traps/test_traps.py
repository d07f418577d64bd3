"""Windrow walks into every trap: the right outcome, and no needless work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.traps.arena import Arena
from tests.traps.engines import ENGINES
from tests.traps.table import TRAPS
from tests.traps.verdict import NotExpressible, Trap, Verdict

_ENGINE = ENGINES["windrow"]


def _test_of(trap: Trap) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        with Arena(_ENGINE, tmp_path) as arena:
            try:
                trap.run(arena)
            except NotExpressible:
                pytest.skip("this machine does not let the scenario happen")

        assert arena.verdict is Verdict.RIGHT, "\n".join(f"{verdict.name}: {text}" for verdict, text in arena.findings)

    test.__doc__ = trap.title
    return pytest.mark.xfail(strict=True, reason=trap.known)(test) if trap.known else test


for _trap in TRAPS:
    assert _trap.test_name not in globals(), f"two scenarios are called {_trap.name}"
    if _ENGINE.name in (_trap.only or (_ENGINE.name,)):
        globals()[_trap.test_name] = _test_of(_trap)
