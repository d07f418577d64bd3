"""Manifest, pointer and hashing: kept whole, rebuilt from events, shown, and hashed the same everywhere."""

from __future__ import annotations

import hashlib
import math
import re
import signal

import msgspec
import pytest

from coordinator.history import replay
from shared import canonical, hashing
from shared.model import stored_manifest
from shared.model.manifest import Manifest, Pointer
from tests.scenarios.film_by_rules.looks import ARTEFACTS
from tests.scenarios.movie_project import MovieProject


def test_a_manifest_comes_back_as_it_was_saved(made: MovieProject) -> None:
    """S2-15, S2-21: canonical bytes, and the pointer names their digest."""
    data = (made.records / "manifests/rev-0001.json").read_bytes()
    manifest = stored_manifest.decode(data)
    pointer = msgspec.json.decode((made.records / "current.json").read_bytes(), type=Pointer)

    assert stored_manifest.encode(manifest) == data
    assert (pointer.revision, pointer.manifest_hash) == (1, hashing.of_bytes(data))
    assert manifest == made.manifest()


def test_a_manifest_of_other_bytes_is_not_loaded(made: MovieProject) -> None:
    """S2-15: a hash check on load (U17, U18); asked for by its number it is an error, and history goes on at rev-0002."""
    path = made.records / "manifests/rev-0001.json"
    path.write_bytes(path.read_bytes() + b"\n")
    made.wipe_state()

    base = made.project().load_base()

    assert (base.manifest, base.next_revision) == (None, 2)
    assert "damaged" in base.problems[0]


def test_the_manifest_can_be_rebuilt_from_the_events(made: MovieProject) -> None:
    """S2-16, S2-34, W3-16: over several revisions, with artefacts that left (U19)."""
    made.change("Style")
    made.build()
    made.blueprint(2)
    made.build()
    refs = made.project().stores.refs

    found = replay.check(refs, made.manifest())

    assert found == replay.Replay(())
    links = replay.chain(refs, made.manifest())
    assert [link.revision for link in links] == [3, 2, 1]
    assert len(links[0].artefacts) == 18


@pytest.mark.fault
@pytest.mark.parametrize("place", ["materialise.done", "events.archived", "events.trimmed", "lock.before-release"])
def test_pointer_survives_crashes(made: MovieProject, place: str) -> None:
    """S2-17, S2-21, W3-06: killed after the swap; no event is lost or told twice. Before it: see seed 003."""
    made.change("VoiceId")

    killed = made.console.run("build", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    between = made.project().load_base()
    made.change("Style")
    again = made.build()

    assert killed.code == -signal.SIGKILL
    assert (between.revision, between.problems) == (1 if place == "materialise.done" else 2, ())
    assert (again.status, made.manifest().base_revision) == ("ok", between.revision)
    assert replay.check(made.project().stores.refs, made.manifest()) == replay.Replay(())


@pytest.mark.parametrize("command", [["show"], ["show", "--json"], ["diff", "..rev-0001"]])
def test_show_says_how_to_start_when_there_is_nothing(movie: MovieProject, command: list[str]) -> None:
    """S2-19, W3-11: exit 2 and the command to run."""
    said = movie.console.run(*command)

    assert said.code == 2
    assert "movie/main has no revision yet" in said.err
    assert "fix: windrow build" in said.err


def test_show_prints_the_current_manifest(made: MovieProject) -> None:
    """S2-19, S2-22."""
    text = made.console.run("show").out
    as_json = made.console.run("show", "--json").json()

    assert text.startswith("rev-0001  ")
    assert "\n7 sources\n" in text
    assert f"\n{ARTEFACTS} artefacts\n" in text
    assert re.search(r"\n  sha256:[0-9a-f]{12} +\d+ B  movie/movie  \(exporter:movie/movie\)\n", text)
    assert msgspec.convert(as_json, Manifest) == made.manifest()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}', id="key order"),
        pytest.param(
            {"\U0001f600": 1, "\uffff": 2, "a": 3}, '{"a":3,"\uffff":2,"\U0001f600":1}', id="non-BMP keys by code point"
        ),
        pytest.param({"é": 1, "z": 2, "Z": 3}, '{"Z":3,"z":2,"é":1}', id="no locale's order"),
        pytest.param(1, "1", id="1"),
        pytest.param(1.0, "1.0", id="1.0"),
        pytest.param(-0.0, "-0.0", id="-0.0"),
        pytest.param(0.0, "0.0", id="0.0"),
        pytest.param(0.1 + 0.2, "0.30000000000000004", id="shortest that comes back"),
        pytest.param('"\\\n\u2028', '"\\"\\\\\\n\u2028"', id="escapes"),
        pytest.param("e\u0301", '"e\u0301"', id="no normalising"),
    ],
)
def test_canonical_bytes(value: object, text: str) -> None:
    """S2-18, W3-17: the vectors; equal values have equal bytes, others have not."""
    assert canonical.encode(value) == text.encode()
    assert hashing.of_value(value) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [1, -math.inf]}, [{"deep": (math.nan,)}]])
def test_what_is_no_number_has_no_canonical_bytes(value: object) -> None:
    """S2-18: upstream wrote them as text, and two of them were equal."""
    with pytest.raises(ValueError, match="no canonical form"):
        canonical.encode(value)


def test_the_hash_of_a_tree() -> None:
    """S2-18, C09: `path:hex` lines in the order of code points, without a newline at the end."""
    empty = hashing.EMPTY.removeprefix("sha256:")
    entries = {"b": hashing.EMPTY, "a/\U0001f600": hashing.EMPTY, "a/\uffff": hashing.EMPTY}

    text = f"a/\uffff:{empty}\na/\U0001f600:{empty}\nb:{empty}"
    assert hashing.of_tree(entries) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
