"""The film on a farm with a bucket: the counts of its table are those of one machine, with one worker and with four."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.film import JOBS, Film

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

EDITS: dict[str, tuple[dict[str, object], int, int, int]] = {
    "first": ({}, JOBS, JOBS, 0),
    "VoiceId": ({"VoiceId": "stern"}, 5, 5, 0),
    "Duration": ({"Duration": 90}, 17, 4, 13),
    "white space": ({"InquiryPrompt": "How  do tides work? "}, 17, 1, 16),
    "segments": ({"NumOfSegments": 4}, 21, 7, 14),
}


@contextmanager
def _farm(film: Film, workers: int) -> Iterator[None]:
    up = film.console.run("farm", "up", "--workers", str(workers), "--write")
    assert up.code == 0, up.err
    try:
        yield
    finally:
        assert film.console.run("farm", "down").code == 0


def _counts(film: Film) -> tuple[int, int, int]:
    report: dict[str, Any] = film.console.run("build", "--json").json()
    assert report["status"] == "ok", report
    return report["planned"], report["executed"], report["reused"]["cut_off"]


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_a_film_on_a_farm_executes_what_it_does_here_and_is_the_same(tmp_path: Path, workers: int) -> None:
    """W3-02, W3-20, invariant 8; an artefact that was edited by hand as well."""
    farmed, here = Film(tmp_path / "farmed"), Film(tmp_path / "here")
    with _farm(farmed, workers):
        for inputs, *expected in EDITS.values():
            farmed.give(**inputs)
            assert _counts(farmed) == tuple(expected), inputs
        farmed.write("movie/Narration/segment-1.txt", "By hand.\n")
        assert _counts(farmed) == (6, 6, 0)

    for inputs, *_ in EDITS.values():
        here.give(**inputs)
        here.build()
    here.write("movie/Narration/segment-1.txt", "By hand.\n")
    here.build()

    assert farmed.outputs_on_disk() == here.outputs_on_disk()
