"""Planning: what an edit dirties, equal plans of equal inputs, dry runs that store nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.film_by_rules.looks import LAYERS
from tests.scenarios.movie_project import MovieProject

Edit = Callable[[MovieProject], None]
TABLE: dict[str, tuple[Edit, int, int, int]] = {
    "none": (lambda movie: None, 0, 0, 0),
    "VoiceId": (lambda movie: movie.change("VoiceId"), 5, 5, 0),
    "Style": (lambda movie: movie.change("Style"), 11, 11, 0),
    "MusicalStyle": (lambda movie: movie.change("MusicalStyle"), 4, 4, 0),
    "AspectRatio": (lambda movie: movie.change("AspectRatio"), 8, 8, 0),
    "InquiryPrompt": (lambda movie: movie.change("InquiryPrompt"), 17, 17, 0),
    "white space only": (lambda movie: movie.change("InquiryPrompt", "the   InquiryPrompt\n\n"), 17, 1, 16),
    "Duration": (lambda movie: movie.change("Duration"), 17, 4, 13),
    "segments 3 to 4": (lambda movie: movie.blueprint(4), 21, 7, 14),
    "segments 3 to 2": (lambda movie: movie.blueprint(2), 13, 3, 10),
}


@pytest.mark.parametrize("row", TABLE)
def test_dirtiness_spreads_along_the_graph_and_is_cut_off(made: MovieProject, row: str) -> None:
    """S2-23, S2-27, W3-02: planned is what the diff marks, executed what really differs (C28, U16)."""
    edit, planned, executed, cut_off = TABLE[row]
    edit(made)

    report = made.build()

    assert (report.planned, report.executed, report.reused.get("cut_off", 0)) == (planned, executed, cut_off)
    assert report.failed == report.skipped == 0
    assert made.build().status == "no-changes"


def test_artefacts_of_removed_jobs_leave_the_manifest(made: MovieProject) -> None:
    """U19, W3 "then 4 to 2": 30 artefacts, then 18."""
    made.blueprint(4)
    made.build()
    four = set(made.manifest().artefacts)
    made.blueprint(2)

    report = made.build()

    two = set(made.manifest().artefacts)
    assert (len(four), len(two), report.outputs_removed) == (30, 18, 12)
    assert two < four
    assert {path.name for path in (made.root / "movie").iterdir()} == {Path(path).name for path in two}


def test_equal_inputs_make_equal_plans_byte_for_byte(movie: MovieProject, tmp_path: Path) -> None:
    """S2-27, W3-17: in another folder, with other stores, another locale and other hash seeds."""
    other = MovieProject(tmp_path / "elsewhere")
    other.broken = movie.broken
    other.blueprint(3)

    one = movie.console.run("plan", "--json", env={"PYTHONHASHSEED": "1", "LC_ALL": "C"})
    two = other.console.run("plan", "--json", env={"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"})

    assert one.code == 0
    assert one.out == two.out


def test_plan_writes_its_file_and_a_summary(movie: MovieProject) -> None:
    """S2-25, S2-26: `build plan` is `plan --save`; revision and dirty jobs are told, nothing is run."""
    said = movie.console.run("plan", "--save")
    printed = movie.console.run("plan", "--json").json()

    saved = json.loads((movie.records / "runs/rev-0001-plan.json").read_bytes())
    assert said.out.startswith("17 jobs in 5 layers, 0 unchanged\nlayer 0  1 job\n")
    assert "saved as projects/movie/main/runs/rev-0001-plan.json" in said.err
    assert saved == printed
    assert (saved["revision"], [len(layer) for layer in saved["layers"]]) == ("rev-0001", list(LAYERS))
    assert not movie.exists("movie")
    assert movie.project().load_base().revision == 0


@pytest.mark.parametrize("words", [["plan"], ["build", "--dry-run"], ["build", "--check"]])
def test_a_dry_run_stores_nothing(made: MovieProject, words: list[str]) -> None:
    """S2-24, C27, W3-13: no event, no lock, no plan; the tree is not written either."""
    made.change("Style")
    stored, tree = made.stored(), made.tree()

    said = made.console.run(*words)

    assert said.code == (10 if "--check" in words else 0)
    assert "11 jobs in 4 layers" in said.out
    assert (made.stored(), made.tree()) == (stored, tree)
