"""What `windrow doctor` says of workers."""

from __future__ import annotations

import pytest

from cli.doctor import worker_finding
from shared.queue import Beat


@pytest.mark.parametrize(
    ("platforms", "asked", "verdict", "says"),
    [
        (("ours",), True, "ok", "1 slot, serves this project's tools"),
        (("theirs",), True, "warn", "1 slot, has other tools than this project's"),
        ((), True, "ok", "1 slot, looks at its tools just now"),
        # Nothing is wrong with a farm that has just come up.
        ((), False, "ok", "1 slot, not asked for this project's tools yet: a build does"),
        (("theirs",), False, "ok", "1 slot, not asked for this project's tools yet: a build does"),
    ],
)
def test_a_worker_that_no_build_asked_is_no_trouble(
    platforms: tuple[str, ...], asked: bool, verdict: str, says: str
) -> None:
    beat = Beat("w1", "host", 1, 1, "0.1.0", "2026-01-01T00:00:00Z", platforms=platforms)

    assert worker_finding(beat, "ours", asked=asked) == (verdict, "workers", f"w1: {says}")
