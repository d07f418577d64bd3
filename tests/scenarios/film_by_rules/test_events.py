"""The event log: what is appended, followed and refused, and by how many at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coordinator.history.file_log import FileLog
from shared import hashing
from shared.errors import CorruptRecord
from shared.model.event import ArtefactEvent, InputEvent
from tests.console import Said, ended
from tests.scenarios.film_by_rules.looks import ARTEFACTS, log_of
from tests.scenarios.movie_project import INPUTS, MovieProject


def lines(said: Said) -> list[dict[str, Any]]:
    """The objects a command printed, one a line."""
    assert said.code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def test_input_and_artefact_events_tell_what_happened(made: MovieProject) -> None:
    """S2-08, S2-09: archived with the revision; an artefact's hash is its blob's, an input's that of its bytes."""
    events = lines(made.console.run("events", "list", "--revision", "rev-0001"))

    inputs = {event["id"]: event for event in events if event["type"] == "input"}
    artefacts = {event["artefact"]: event for event in events if event["type"] == "artefact"}
    assert set(inputs) == {f"inputs/{name}" for name in INPUTS} | {"windrow.toml"}
    assert all(event["hash"] == hashing.of_file(made.root / path)[0] for path, event in inputs.items())
    assert len(artefacts) == ARTEFACTS
    assert all(event["hash"] == hashing.of_file(made.root / path)[0] for path, event in artefacts.items())
    assert {(event["status"], event["revision"]) for event in artefacts.values()} == {("executed", 1)}


def test_appended_events_are_printed_as_they_are_stored(made: MovieProject, tmp_path: Path) -> None:
    """S2-12, S2-14: and the log gives them back."""
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps({"id": "inputs/Style", "hash": hashing.of_bytes(b"x"), "change": "modified"}))

    said = made.console.run("events", "append", "--type", "input", "--file", str(sample))

    (stored,) = lines(said)
    assert (stored["type"], stored["id"], stored["revision"]) == ("input", "inputs/Style", 2)
    assert lines(made.console.run("events", "list")) == [stored]


@pytest.mark.parametrize("text", ["{", "[]", '{"id": 7}', "{}"])
def test_events_that_are_none_are_refused(made: MovieProject, tmp_path: Path, text: str) -> None:
    """S2-14."""
    sample = tmp_path / "sample.json"
    sample.write_text(text)

    said = made.console.run("events", "append", "--type", "input", "--file", str(sample))

    assert (said.code, said.out) == (2, "")
    assert "error[W0100]" in said.err
    assert list(log_of(made).read()) == []


def test_tailing_gives_only_what_is_new(made: MovieProject) -> None:
    """S2-13: from a cursor on, also past a trim."""
    log = log_of(made)

    def tell(name: str) -> None:
        log.append([InputEvent(name, 2, "", "deleted", "b", "2026-01-01T00:00:00.000Z")])

    tell("one")
    cursor = list(log.read())[-1].cursor
    tell("two")

    assert [entry.event.id for entry in log.read(cursor) if isinstance(entry.event, InputEvent)] == ["two"]
    log.trim(cursor)
    tell("three")
    assert [entry.event.id for entry in log.read(cursor) if isinstance(entry.event, InputEvent)] == ["two", "three"]


def test_many_appenders_lose_and_mix_no_line(made: MovieProject, tmp_path: Path) -> None:
    """S2-10, S2-13, C24: commands started at once, and this process beside them."""
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps({"id": "x" * 5000, "hash": "", "change": "deleted"}))
    running = [made.console.start("events", "append", "--type", "input", "--file", str(sample)) for _ in range(6)]
    log = log_of(made)
    for _ in range(50):
        log.append([ArtefactEvent("y" * 5000, 2, "", "", 0, "skipped", "j", "b", "2026-01-01T00:00:00.000Z")])
    for process in running:
        assert ended(process).code == 0

    counts = Counter(type(entry.event) for entry in log_of(made).read())

    assert counts == {InputEvent: 6, ArtefactEvent: 50}


def test_a_bad_line_in_the_middle_is_an_error_that_names_it(made: MovieProject) -> None:
    """R08: and a torn last line a warning."""
    log = made.records / "events/inputs.log"
    events = (made.records / "events/rev-0001.inputs.jsonl").read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(events[:2]) + events[2][:40])
    torn = made.console.run("events", "list")
    log.write_bytes(events[0] + b"not an event\n" + events[1])

    bad = made.console.run("events", "list")

    assert (torn.code, len(torn.out.splitlines())) == (0, 2)
    assert bad.code == 32
    assert f"{log}:2" in bad.err


def test_a_log_of_another_process_is_the_same_log(made: MovieProject) -> None:
    """S2-54, S2-08: what is written there is read here."""
    code = "import sys; from pathlib import Path; from coordinator.history.file_log import FileLog\nfrom shared.model.event import InputEvent\n"
    code += "FileLog(Path(sys.argv[1]), print).append([InputEvent('there', 2, '', 'deleted', 'b', '2026-01-01T00:00:00.000Z')])"
    subprocess.run(
        [sys.executable, "-c", code, str(made.records / "events")], check=True, cwd=Path(__file__).parents[3]
    )
    warnings: list[str] = []

    (entry,) = FileLog(made.records / "events", warnings.append).read()

    assert isinstance(entry.event, InputEvent)
    assert (entry.event.id, warnings) == ("there", [])
    (made.records / "events/inputs.log").write_bytes(b"\x00\n")
    with pytest.raises(CorruptRecord):
        list(log_of(made).read())
