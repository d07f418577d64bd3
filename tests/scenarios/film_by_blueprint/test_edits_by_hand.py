"""Artefacts that a person wrote over: how long they last, and what is kept of them."""

from __future__ import annotations

from coordinator.history import replay
from coordinator.history.archive import archived
from shared import hashing
from shared.model.event import ArtefactEvent
from tests.scenarios.film import JOBS, Film
from tests.scenarios.film_by_blueprint.looks import NARRATION


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
    told = [
        event
        for event in archived(made.project().stores.refs, "movie", "main", 2) or []
        if isinstance(event, ArtefactEvent)
    ]
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
