"""Workload W3: a film made of a blueprint, its table of edits, and W3-01 to W3-20 as far as they are the film's own.

What holds for any project is tested on declared rules, in test_seed_s2.py and beside the parts; the ids are there.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.history import replay
from coordinator.history.archive import archived
from shared import hashing
from shared.model.event import ArtefactEvent, InputEvent
from tests.scenarios.film import ARTEFACTS, FIRST, JOBS, LAYERS, Film

Edit = Callable[[Film], None]
NARRATION = "movie/Narration/segment-1.txt"


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Nothing is built yet."""
    return Film(tmp_path / "tree")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Built once; nobody changes it."""
    project = Film(tmp_path_factory.mktemp("origin") / "tree")
    assert project.build().executed == JOBS
    return project


@pytest.fixture
def made(origin: Film, film: Film) -> Iterator[Film]:
    """Rev-0001 is there."""
    shutil.copytree(origin.cache, film.cache)
    shutil.copytree(origin.root / ".windrow", film.root / ".windrow")
    shutil.copytree(origin.root / "movie", film.root / "movie")
    assert film.build().status == "no-changes"
    return film


def ids(film: Film) -> set[str]:
    """The canonical ids of the artefacts of the revision."""
    return {artefact.id.removeprefix("Artifact:") for artefact in film.manifest().artefacts.values()}


# -- the table ------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize(
    ("keep_going", "ok", "skipped"), [pytest.param(False, 7, 9, id="stops"), pytest.param(True, 14, 2, id="goes on")]
)
def test_a_first_run_that_fails_commits_nothing_and_is_taken_up(
    film: Film, keep_going: bool, ok: int, skipped: int
) -> None:
    """W3-02, the last two rows, and W3-04 (U14, U15)."""
    film.environ["WINDROW_JOBS"] = "8"
    broken = film.broken()
    first = film.build(failures=0 if keep_going else 1, schedule="layers")
    between, status = film.project().load_base(), film.console.run("status").out
    broken.unlink()

    second = film.build()

    assert (first.planned, first.executed, first.failed, first.skipped) == (JOBS, ok, 1, skipped)
    assert (first.revision, between.revision, film.stored().keys() & {"current.json"}) == (0, 0, set())
    assert "FAILED Producer:Audio[segment=1] (exit 1): Producer:Audio[segment=1] fails while" in status
    assert (second.status, second.executed, sum(second.reused.values())) == ("ok", JOBS - ok, ok)
    assert second.revision == 1


# -- what a first build leaves --------------------------------------------------------------------------


def test_a_first_build_leaves_manifest_pointer_plan_progress_and_events(film: Film) -> None:
    """W3-01: every artefact resolvable; building again changes nothing; the live log is empty."""
    report = film.build()
    before = film.stored()
    again = film.build()

    names = {path.relative_to(film.records).as_posix() for path in film.records.rglob("*.json*")}
    assert (report.planned, report.executed, report.layers) == (JOBS, JOBS, LAYERS)
    assert names == {
        *("current.json", "manifests/rev-0001.json", "runs/rev-0001-plan.json", "runs/rev-0001-progress.json"),
        *("events/rev-0001.inputs.jsonl", "events/rev-0001.artefacts.jsonl"),
    }
    artefacts = film.manifest().artefacts
    blobs = film.project().stores.blobs
    assert len(artefacts) == ARTEFACTS
    assert all(blobs.get(one.hash) == (film.root / path).read_bytes() for path, one in artefacts.items())
    assert list(film.project().event_log().read()) == []
    assert (again.status, film.stored() == before) == ("no-changes", True)


def test_init_is_harmless_when_repeated(film: Film) -> None:
    """W3-01."""
    before = film.tree()
    said = film.console.run("init")
    once = film.tree()

    again = film.console.run("init")

    assert (said.code, again.code) == (0, 0)
    assert "nothing was changed" in again.out
    assert film.tree() == once
    assert once.keys() == before.keys()


def test_artefacts_have_canonical_ids_types_and_paths_of_one_rule(made: Film) -> None:
    """R28: what docs/design/blueprint.md says of paths."""
    artefacts = made.manifest().artefacts

    image = artefacts["movie/Image/segment-2/image-1.png"]
    assert (image.id, image.type) == ("Artifact:Image[segment=2][image=1]", "image/png")
    assert image.job == "Producer:Image[segment=2][image=1]"
    assert Counter(name.partition("[")[0] for name in ids(made)) == {
        "Image": 6, "Prompt": 6, "Narration": 3, "Audio": 3,
        **dict.fromkeys(("MovieTitle", "MovieSummary", "MusicPrompt", "Music", "Timeline", "Movie"), 1),
    }  # fmt: skip


def test_inputs_are_in_manifest_and_events_as_digests_of_their_values(made: Film) -> None:
    """S2-09, S2-20: an input event for each value, through the hasher; later only for what changed."""
    made.give(Style="woodcut")
    made.build()
    refs = made.project().stores.refs

    def values(revision: int) -> dict[str, tuple[str, str]]:
        events = archived(refs, "movie", "main", revision) or []
        return {
            event.id: (event.change, event.hash)
            for event in events
            if isinstance(event, InputEvent) and event.what == "value"
        }

    assert values(1) == {f"Input:{name}": ("added", hashing.of_value(value)) for name, value in FIRST.items()}
    assert values(2) == {"Input:Style": ("modified", hashing.of_value("woodcut"))}
    assert made.manifest().inputs["Input:Style"] == hashing.of_value("woodcut")


# -- edits by hand --------------------------------------------------------------------------------------


def test_a_hand_edit_lasts_until_the_inputs_of_its_producer_change(made: Film) -> None:
    """W3-02: through a build of everything, and one after the file is lost; it is told in the events."""
    made.write(NARRATION, "By hand.\n")
    made.build()
    edited = made.manifest().artefacts[NARRATION]
    full = made.build(full=True)
    made.delete(NARRATION)
    restored = made.build()
    kept = made.read(NARRATION), made.manifest().artefacts[NARRATION]

    made.give(InquiryPrompt="Why is the sky blue?")
    report = made.build()

    assert (edited.edited, edited.job) == (True, "Producer:Script")
    assert (full.planned, full.executed, full.reused, full.revision) == (JOBS, 0, {"cut_off": JOBS}, 0)
    assert (restored.executed, kept) == (0, ("By hand.\n", edited))
    assert report.executed == JOBS
    assert made.read(NARRATION) == "Part 2. Why is the sky blue?\n"
    assert not made.manifest().artefacts[NARRATION].edited
    told = [event for event in archived(made.project().stores.refs, "movie", "main", 2) or [] if isinstance(event, ArtefactEvent)]
    assert [event.artefact for event in told if event.status == "edited"] == [NARRATION]
    assert replay.check(made.project().stores.refs, made.manifest()) == replay.Replay(())


def test_an_edit_and_a_new_prompt_at_once_leave_a_copy_of_the_edit(made: Film) -> None:
    """Nobody's work is lost: the producer's new inputs win, and the copy is told of."""
    made.write(NARRATION, "By hand.\n")
    made.give(InquiryPrompt="Why is the sky blue?")

    report = made.build()

    assert report.executed == JOBS
    assert made.read(NARRATION) == "Part 2. Why is the sky blue?\n"
    (copy,) = (made.root / ".windrow/replaced").rglob("segment-1.txt")
    assert copy.read_text() == "By hand.\n"
    assert any(str(copy) in warning for warning in made.observer.warnings)


def test_an_edit_of_what_nobody_reads_is_committed(made: Film) -> None:
    """No job runs, and the revision has the new bytes."""
    made.write("movie/Movie.mp4", "cut by hand\n")

    report = made.build()

    assert (report.planned, report.executed, report.revision) == (0, 0, 2)
    assert made.manifest().artefacts["movie/Movie.mp4"].hash == hashing.of_bytes(b"cut by hand\n")
    assert made.project().stores.blobs.get(made.manifest().artefacts["movie/Movie.mp4"].hash) == b"cut by hand\n"
    assert made.build().status == "no-changes"


def test_equal_narrations_by_hand_are_one_blob(made: Film) -> None:
    """W3-08: of two segments; two entries in the manifest, and the voices of both are equal as well."""
    for segment in (0, 1):
        made.write(f"movie/Narration/segment-{segment}.txt", "The same.\n")

    made.build()

    artefacts = made.manifest().artefacts
    narrations = {artefacts[f"movie/Narration/segment-{segment}.txt"].hash for segment in (0, 1)}
    voices = {artefacts[f"movie/Audio/segment-{segment}.mp3"].hash for segment in (0, 1)}
    assert (len(narrations), len(voices)) == (1, 1)


# -- status ---------------------------------------------------------------------------------------------


def test_status_counts_kinds_costs_and_durations(made: Film) -> None:
    """W3-15, S2-44, S2-47: cost and seconds are the sums of the events; what the film costs, and what the build did."""
    made.give(VoiceId="stern")
    made.build()

    status = made.console.run("status", "--json").json()
    text = made.console.run("status").out

    events = archived(made.project().stores.refs, "movie", "main", 2) or []
    spent = {e.produced_by: (e.seconds, e.cost) for e in events if isinstance(e, ArtefactEvent) and e.status == "executed"}
    last = status["last_build"]
    assert len(spent) == 5
    assert last["cost"] == pytest.approx(sum(cost for _, cost in spent.values())) == pytest.approx(0.15)
    assert last["job_seconds"] == pytest.approx(sum(seconds for seconds, _ in spent.values()), abs=1e-5)
    assert status["cost"] == pytest.approx(0.02 + 3 * 0.01 + 3 * 0.05 + 0.01 + 6 * 0.04 + 0.10)
    assert status["kinds"]["Image"] == {"jobs": 6, "artefacts": 6}
    assert status["kinds"]["Script"] == {"jobs": 1, "artefacts": 5}
    assert "cost      0.55 in all, 0.15 for the last build" in text


# -- graph, plan, targets -------------------------------------------------------------------------------


def test_a_target_may_be_a_canonical_id(made: Film) -> None:
    """R28: an artefact, a producer's job, or all jobs of a producer."""
    made.give(Style="woodcut", MusicalStyle="drums")

    one = made.console.run("plan", "Artifact:Image[segment=0][image=1]", "--json").json()
    job = made.console.run("plan", "Producer:Music", "--json").json()
    rule = made.console.run("plan", "Image", "--json").json()

    def jobs(plan: Any) -> list[str]:
        return [job["job"] for layer in plan["layers"] for job in layer]

    assert jobs(one) == ["Producer:ImagePrompt[segment=0]", "Producer:Image[segment=0][image=1]"]
    assert jobs(job) == ["Producer:MusicPrompt", "Producer:Music"]
    assert len(jobs(rule)) == 9


def test_graph_prints_the_expanded_blueprint(tmp_path: Path) -> None:
    """S2-02: a snapshot of the smallest film."""
    film = Film(tmp_path / "tree", NumOfSegments=1, NumOfImages=1)

    printed = film.console.run("graph", "--json").json()

    printed["platform"] = "masked"
    golden = Path(__file__).parents[1] / "golden/film-graph.json"
    assert printed == json.loads(golden.read_text())
