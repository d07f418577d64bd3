"""What a first build of a film leaves, and what is told where none can be made."""

from __future__ import annotations

from collections import Counter

import pytest

from coordinator.history.archive import archived
from shared import hashing
from shared.model.event import InputEvent
from tests.scenarios.film import ARTEFACTS, FIRST, JOBS, LAYERS, Film
from tests.scenarios.film_by_blueprint.looks import ids


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


def test_a_film_uninitialised_says_how_to_start(film: Film) -> None:
    """W3-11."""
    said = film.console.run("show")

    assert (said.code, "fix: windrow build" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("      - InquiryPrompt\n", "      - InquiryPrompt\n      - Timeline\n", "the rules form a cycle"),
        ("      Movie: video/mp4", "      Timeline: video/mp4", "makes Timeline, and so does producer 'Timeline'"),
        ("      - Audio[*]", "      - Audio[sgement]", "unknown loop 'sgement'"),
        ("  VoiceId: {}", "  VoiceId: {optional: true}", "optional input 'VoiceId' has no default"),
    ],
)
def test_a_blueprint_that_makes_no_graph_is_told_with_its_line_and_nothing_is_planned(
    film: Film, old: str, new: str, told: str
) -> None:
    """W3-12: exit 2, no plan file."""
    film.amend(old, new)

    said = film.console.run("plan", "--save")

    assert (said.code, told in said.err, "at: movie.yaml:" in said.err) == (2, True, True)
    assert not list(film.records.glob("runs/*"))
