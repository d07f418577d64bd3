"""The table of edits: what each plans and executes, what goes, what a failed run leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from coordinator.history import replay
from tests.scenarios.film import JOBS, Film
from tests.scenarios.film_by_blueprint.looks import NARRATION, ids

Edit = Callable[[Film], None]
TABLE: dict[str, tuple[Edit, int, int, int]] = {
    "none": (lambda film: None, 0, 0, 0),
    "VoiceId": (lambda film: film.give(VoiceId="stern"), 5, 5, 0),
    "Style": (lambda film: film.give(Style="woodcut"), 11, 11, 0),
    "MusicalStyle": (lambda film: film.give(MusicalStyle="drums"), 4, 4, 0),
    "AspectRatio": (lambda film: film.give(AspectRatio="4:3"), 8, 8, 0),
    "InquiryPrompt": (lambda film: film.give(InquiryPrompt="Why is the sky blue?"), 17, 17, 0),
    "InquiryPrompt, white space only": (lambda film: film.give(InquiryPrompt="How  do tides\nwork? "), 17, 1, 16),
    "Duration": (lambda film: film.give(Duration=90), 17, 4, 13),
    "segments 3 to 4": (lambda film: film.give(NumOfSegments=4), 21, 7, 14),
    "user edit of Narration[1]": (lambda film: film.write(NARRATION, "What the tide is.\n"), 6, 6, 0),
}


@pytest.mark.parametrize("row", TABLE)
def test_an_edit_plans_what_it_may_touch_and_executes_what_it_does(made: Film, row: str) -> None:
    """W3-02."""
    edit, planned, executed, cut_off = TABLE[row]
    edit(made)

    report = made.build()

    assert (report.planned, report.executed, report.reused.get("cut_off", 0)) == (planned, executed, cut_off)
    assert sum(report.reused.values()) == cut_off
    assert report.failed == report.skipped == 0
    assert made.build().status == "no-changes"
    assert replay.check(made.project().stores.refs, made.manifest()) == replay.Replay(())


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("VoiceId", {"Audio[segment=0]", "Audio[segment=1]", "Audio[segment=2]", "Timeline", "Exporter"}),
        ("Duration", {"Script", "Music", "Timeline", "Exporter"}),
        ("InquiryPrompt, white space only", {"Script"}),
        (
            "user edit of Narration[1]",
            {
                *("ImagePrompt[segment=1]", "Image[segment=1][image=0]", "Image[segment=1][image=1]"),
                *("Audio[segment=1]", "Timeline", "Exporter"),
            },
        ),
    ],
)
def test_which_jobs_an_edit_executes(made: Film, row: str, names: set[str]) -> None:
    """W3-02."""
    TABLE[row][0](made)

    made.build()

    assert made.ran() == names


def test_artefacts_of_segments_that_went_leave_tree_and_manifest(made: Film) -> None:
    """W3-02, "then 4 to 2": 13 planned, 3 executed, 12 artefacts fewer (U19)."""
    made.give(NumOfSegments=4)
    made.build()
    four = ids(made)
    made.give(NumOfSegments=2)

    report = made.build()

    assert (report.planned, report.executed, report.reused) == (13, 3, {"cut_off": 10})
    assert made.ran() == {"Script", "Timeline", "Exporter"}
    assert (len(four), len(four - ids(made)), report.outputs_removed) == (30, 12, 12)
    assert sorted(path.name for path in (made.root / "movie/Narration").iterdir()) == ["segment-0.txt", "segment-1.txt"]
    assert made.tree().keys() >= set(made.manifest().artefacts)


@pytest.mark.parametrize("keep_going", [pytest.param(False, id="stops"), pytest.param(True, id="goes on")])
def test_a_first_run_that_fails_commits_nothing_and_is_taken_up(film: Film, keep_going: bool) -> None:
    """W3-02, the last two rows, and W3-04 (U14, U15)."""
    film.environ["WINDROW_JOBS"] = "8"
    broken = film.broken()
    first = film.build(failures=0 if keep_going else 1, schedule="layers")
    between, status = film.project().load_base(), film.console.run("status").out
    broken.unlink()

    second = film.build()

    assert (first.planned, first.failed, first.executed + first.skipped) == (JOBS, 1, JOBS - 1)
    # What had begun when it failed is finished, and no layer begun after its own.
    assert first.executed == 14 if keep_going else 1 <= first.executed <= 7
    assert (first.revision, between.revision, film.stored().keys() & {"current.json"}) == (0, 0, set())
    assert "FAILED Producer:Audio[segment=1] (exit 1): Producer:Audio[segment=1] fails while" in status
    assert (second.status, second.executed, sum(second.reused.values())) == ("ok", JOBS - first.executed, first.executed)
    assert second.revision == 1
