"""Edits that are given to a build: planned at once, written when it begins, refused when they make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coordinator import build as building
from coordinator import edits
from coordinator.history import replay
from coordinator.history.archive import archived
from coordinator.request import Request
from shared import hashing
from shared.model.event import ArtefactEvent, InputEvent
from tests.scenarios.film import FIRST, Film
from tests.scenarios.film_by_blueprint.looks import NARRATION


def test_a_pending_edit_is_planned_but_not_written_until_a_build_begins(made: Film) -> None:
    """S2-24, C27, W3-13."""
    tree, stored = made.tree(), made.stored()
    project = made.project()
    edits.pend(project, {"Input:VoiceId": "stern", "Artifact:Narration[segment=1]": "By hand.\n"})
    planned = len(building.look(project, Request()).plan.jobs)
    before = made.tree() == tree, made.stored() == stored

    report = building.build(project, Request(), made.observer)

    assert (planned, before) == (8, (True, True))
    assert (report.planned, report.executed) == (8, 8)
    assert (made.read(NARRATION), '"stern"' in made.read("inputs.yaml")) == ("By hand.\n", True)
    told = archived(made.project().stores.refs, "movie", "main", 2) or []
    assert {event.id for event in told if isinstance(event, InputEvent)} == {"inputs.yaml", "Input:VoiceId"}
    assert [e.artefact for e in told if isinstance(e, ArtefactEvent) and e.status == "edited"] == [NARRATION]


def test_an_edit_that_makes_no_sense_is_refused_and_writes_nothing(made: Film) -> None:
    """S2-20."""
    tree = made.tree()

    said = made.console.run("build", "--edit", "Input:NumOfSegments=many")
    unknown = made.console.run("plan", "--edit", "Input:Stlye=noir")
    absent = made.console.run("build", "--edit", "Artifact:Narration[segment=7]=x")

    assert (said.code, unknown.code, absent.code) == (2, 2, 2)
    assert "is no number of turns: 'many'" in said.err
    assert "unknown input 'Stlye'" in unknown.err
    assert "no revision has made it yet" in absent.err
    assert made.tree() == tree


@pytest.mark.parametrize(
    ("kind", "event", "planned", "hash_"),
    [
        (
            "input",
            {"id": "Input:VoiceId", "payload": "stern", "hash": "sha256:" + "0" * 64},
            5,
            hashing.of_value("stern"),
        ),
        ("input", {"id": "Input:Duration", "payload": 90}, 17, hashing.of_value(90)),
        (
            "artefact",
            {"artefact": "Artifact:Narration[segment=1]", "payload": "By hand.\n"},
            6,
            hashing.of_bytes(b"By hand.\n"),
        ),
    ],
)
def test_an_appended_event_with_a_payload_is_an_edit(
    made: Film, kind: str, event: dict[str, Any], planned: int, hash_: str
) -> None:
    """S2-12, S2-20: the digest is of what was given, not the one that came along; the next build takes it up."""
    sample = made.root.parent / "sample.json"
    sample.write_text(json.dumps(event))

    said = made.console.run("events", "append", "--type", kind, "--file", str(sample))
    report = made.build()

    stored = said.json()
    assert (said.code, stored["hash"], stored["build"]) == (0, hash_, "manual")
    assert stored["artefact" if kind == "artefact" else "id"] == (NARRATION if kind == "artefact" else event["id"])
    assert report.planned == planned
    if kind == "input":
        assert made.manifest().inputs[event["id"]] == hash_
    else:
        assert (made.read(NARRATION), made.manifest().artefacts[NARRATION].edited) == ("By hand.\n", True)
    told = archived(made.project().stores.refs, "movie", "main", 2) or []
    assert [one.build for one in told].count("manual") == 1
    assert replay.check(made.project().stores.refs, made.manifest()) == replay.Replay(())


@pytest.mark.parametrize(
    "event",
    [
        {"id": "Input:Nobody", "payload": 1},
        {"id": "../x", "payload": "x"},
        {"payload": "x"},
        {"id": "Artifact:Movie", "payload": "x"},
    ],
)
def test_a_payload_of_nothing_is_refused_and_nothing_is_written(made: Film, event: dict[str, Any]) -> None:
    sample = made.root.parent / "sample.json"
    sample.write_text(json.dumps(event))
    tree, stored = made.tree(), made.stored()

    said = made.console.run("events", "append", "--type", "input", "--file", str(sample))

    assert (said.code, said.out, made.tree() == tree, made.stored() == stored) == (2, "", True, True)


def test_an_edit_behind_a_folder_that_leads_out_of_the_tree_is_not_written(made: Film) -> None:
    """Invariant 9: the folder was replaced by a symlink since the artefact was made."""
    outside = made.root.parent / "outside"
    (made.root / "movie" / "Narration").rename(outside)
    (made.root / "movie" / "Narration").symlink_to(outside)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}

    said = made.console.run("build", "--edit", "Artifact:Narration[segment=1]=by hand")

    assert said.code != 0
    assert "Traceback" not in said.err
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_edits_of_the_command_line_keep_the_rest_of_the_file(made: Film) -> None:
    """R28: comments too."""
    made.write("inputs.yaml", "# of a film\n" + made.read("inputs.yaml").replace("\n", "  # so\n"))
    made.build()

    said = made.console.run("build", "--json", "--edit", "Input:Style=noir", "--edit", "Input:NumOfSegments=2")

    report = said.json()
    assert (report["planned"], report["status"]) == (13, "ok")
    assert made.read("inputs.yaml").startswith('# of a film\nInquiryPrompt: "How do tides work?"  # so\n')
    assert 'Style: "noir"  # so\n' in made.read("inputs.yaml")
    assert "NumOfSegments: 2  # so\n" in made.read("inputs.yaml")


def test_what_a_build_left_that_committed_nothing_is_no_edit(made: Film) -> None:
    """Invariant 1: outputs of layers that were executed alone, then the old prompt again."""
    before = made.outputs()
    made.give(InquiryPrompt="Why is the sky blue?")
    assert made.build(up_to_layer=0).executed == 1
    assert made.read(NARRATION) == "Part 2. Why is the sky blue?\n"
    made.give(InquiryPrompt=FIRST["InquiryPrompt"])

    report = made.build()

    assert (report.executed, made.outputs() == before, made.manifest().revision) == (0, True, 1)
    assert made.build().status == "no-changes"
