"""Seed 002 as far as declared rules go: S2-02 to S2-54 and the table of W3, on a film of 17 jobs.

Not here: blueprints themselves, edits of artefacts by hand that count as input, and costs.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coordinator import build as building
from coordinator.history import replay, runs
from coordinator.history.eventlog import EventLog
from coordinator.history.file_log import FileLog
from coordinator.request import Request
from shared import canonical, hashing
from shared.clock import iso
from shared.errors import CorruptRecord
from shared.model.event import ArtefactEvent, InputEvent
from shared.model.manifest import Manifest, Pointer, revision_name
from shared.storage.compose import Stores, open_stores
from shared.storage.memory import MemoryBlobs, MemoryRefs
from shared.storage.stored_results import StoredResults
from tests.console import Said, ended
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.workspace import Workspace
from tests.scenarios.movie_project import INPUTS, MovieProject
from tests.scenarios.todo_project import TodoProject
from tests.traps.arena import Gate

JOBS, LAYERS, ARTEFACTS = 17, (1, 7, 7, 1, 1), 24
GOLDEN = Path(__file__).parents[1] / "golden"
Edit = Callable[[MovieProject], None]


@pytest.fixture
def movie(tmp_path: Path) -> MovieProject:
    """Nothing is built yet."""
    return MovieProject(tmp_path / "tree")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> MovieProject:
    """Built once; nobody changes it."""
    project = MovieProject(tmp_path_factory.mktemp("origin") / "tree")
    assert project.build().executed == JOBS
    return project


@pytest.fixture
def made(origin: MovieProject, movie: MovieProject) -> Iterator[MovieProject]:
    """Rev-0001 is there."""
    movie.broken = origin.broken
    movie.take_over(origin, "movie")
    movie.blueprint(3)
    assert movie.build().status == "no-changes"
    yield movie
    origin.broken.unlink(missing_ok=True)


def lines(said: Said) -> list[dict[str, Any]]:
    """The objects a command printed, one a line."""
    assert said.code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def log_of(project: Workspace) -> EventLog:
    return project.project().event_log()


# -- milestones 0 and 1: graph, storage -----------------------------------------------------------------


def test_graph_prints_the_expanded_graph(tmp_path: Path) -> None:
    """S2-02: a snapshot of the smallest film."""
    movie = MovieProject(tmp_path / "tree", segments=1, images=1)

    said = movie.console.run("graph", "--json")

    printed = said.json()
    assert re.fullmatch(r"linux-\S+-[0-9a-f]{16}", printed["platform"])
    printed["platform"] = "masked"
    assert printed == json.loads((GOLDEN / "movie-graph.json").read_text())


def test_a_plan_is_stored_and_read_again(movie: MovieProject) -> None:
    """S2-05: planStore.save and load, at runs/rev-0001-plan.json."""
    seen = movie.look()
    assert seen.graph is not None
    record = runs.plan_record(seen.plan, seen.graph, 1)

    name = runs.save_plan(movie.project().stores.refs, "movie", "main", 1, record)

    assert name == "projects/movie/main/runs/rev-0001-plan.json"
    assert msgspec.json.decode((movie.records / "runs/rev-0001-plan.json").read_bytes(), type=runs.PlanRecord) == record


def test_time_comes_from_a_clock_that_is_given(tmp_path: Path) -> None:
    """S2-04."""
    clock = FakeClock()
    project = Workspace(tmp_path / "tree", clock=clock)
    project.write("windrow.toml", '[project]\nname = "timed"\n')

    project.build()

    assert project.manifest().created_at == iso(clock.now())


def test_the_layout_of_the_store(made: MovieProject) -> None:
    """S2-06, S2-11: the seed's five names and what this adds; building again changes nothing in it."""
    before = made.stored()
    again = made.build()

    files = {path.relative_to(made.records).as_posix() for path in made.records.rglob("*") if path.is_file()}
    shown = {name for name in files if not Path(name).name.startswith(".")}
    assert shown == {
        "current.json",
        "manifests/rev-0001.json",
        "events/inputs.log",
        "events/artefacts.log",
        "events/rev-0001.inputs.jsonl",
        "events/rev-0001.artefacts.jsonl",
        "runs/rev-0001-plan.json",
        "runs/rev-0001-progress.json",
    }
    assert {name.split("/")[0] for name in before} == {"blobs", "results", "projects"}
    assert all(
        re.fullmatch(r"blobs/([0-9a-f]{2})/\1[0-9a-f]{62}", name) for name in before if name.startswith("blobs/")
    )
    assert again.status == "no-changes"
    assert made.stored() == before


def test_looking_at_an_empty_store_writes_nothing(movie: MovieProject) -> None:
    """S2-07."""
    assert movie.console.run("events", "list").out == ""
    assert movie.console.run("plan").code == 0
    assert movie.console.run("builds").code == 0

    kept = {name for name in movie.stored() if not Path(name).name.startswith(".guard")}
    assert {name for name in kept if "/events/" not in name} == set()


def test_one_storage_contract_for_memory_folders_and_the_default(tmp_path: Path) -> None:
    """S2-03, S2-54: the same manifest whatever it is kept in."""
    contents = []
    for kind in ("default", "file", "memory"):
        todo = TodoProject(tmp_path / kind)
        if kind == "file":
            todo.environ["WINDROW_STORAGE__URL"] = f"file://{tmp_path}/shared"
        project = todo.project()
        if kind == "memory":
            blobs, refs = MemoryBlobs(), MemoryRefs()
            results = StoredResults(refs, blobs, "local")
            on_disk = open_stores(project.settings)
            project._given_stores = Stores(
                blobs,
                refs,
                results,
                results,
                blobs,
                on_disk.local,
                on_disk.local_refs,
                remote=False,
                swaps=lambda: "a lock",
            )
        report = building.build(project, Request(), RecordingObserver())
        assert report.executed == 102
        manifest = project.load_base().manifest
        assert manifest is not None
        contents.append(manifest.content_hash)

    assert len(set(contents)) == 1


# -- milestone 2: events --------------------------------------------------------------------------------


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


# -- milestone 3: manifest, pointer, hashing ------------------------------------------------------------


def test_a_manifest_comes_back_as_it_was_saved(made: MovieProject) -> None:
    """S2-15, S2-21: canonical bytes, and the pointer names their digest."""
    data = (made.records / "manifests/rev-0001.json").read_bytes()
    manifest = msgspec.json.decode(data, type=Manifest)
    pointer = msgspec.json.decode((made.records / "current.json").read_bytes(), type=Pointer)

    assert canonical.encode(manifest) == data
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


# -- milestone 4: planning ------------------------------------------------------------------------------

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


# -- milestones 5 and 6: running ------------------------------------------------------------------------


def test_the_progress_file_tells_how_a_build_stands(tmp_path: Path) -> None:
    """S2-30: while it runs, and when it has ended."""
    gate = Gate(tmp_path / "gate")
    movie = MovieProject(tmp_path / "tree", probe=gate.command.replace("{", "{{").replace("}", "}}") + "; ")
    gate.shut()
    running = movie.console.start("build", "-j", "1")
    gate.await_step()
    path = movie.records / "runs/rev-0001-progress.json"
    during = json.loads(path.read_bytes())
    seen = movie.console.run("status", "--json").json()["last_build"]
    gate.open()

    said = ended(running)

    after = json.loads(path.read_bytes())
    assert said.code == 0, said.err
    assert (during["status"], during["planned"], during["pid"]) == ("running", JOBS, running.pid)
    assert set(during["jobs"].values()) <= {"waiting", "running"}
    assert (seen["status"], seen["build"]) == ("running", during["build"])
    assert (after["status"], after["executed"], after["jobs"], after["failures"]) == ("ok", JOBS, {}, [])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", after["finished"])


def test_layers_never_overlap_when_they_are_strict(movie: MovieProject) -> None:
    """S2-31, W3-03: of no layer is a job started before all earlier ones are done."""
    movie.environ["WINDROW_JOBS"] = "4"
    layer_of = {job.id: job.layer for job in movie.look().plan.jobs.values()}

    movie.build(schedule="layers")

    done: Counter[int] = Counter()
    for what, job in movie.observer.order:
        if what == "started":
            assert all(done[n] == LAYERS[n] for n in range(layer_of[job])), job
        elif what == "executed":
            done[layer_of[job]] += 1
    assert tuple(done[n] for n in range(5)) == LAYERS


@pytest.mark.parametrize("jobs", [1, 3])
def test_never_more_jobs_at_once_than_allowed(tmp_path: Path, jobs: int) -> None:
    """S2-31: counted by the jobs themselves."""
    inside = tmp_path / "inside"
    inside.mkdir()
    probe = f"d=$(mktemp -d {inside}/XXXXXX); ls {inside} | wc -l >> {tmp_path}/counts; sleep 0.02; rmdir $d; "
    movie = MovieProject(tmp_path / "tree", probe=probe)
    movie.environ["WINDROW_JOBS"] = str(jobs)

    report = movie.build()

    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert (report.executed, len(counts)) == (JOBS, JOBS)
    assert max(counts) == jobs


def test_equal_bytes_are_one_blob(tmp_path: Path) -> None:
    """S2-32, S2-37, W3-08: of two jobs, whatever the outputs are called (U20); two entries in the manifest."""
    space = MovieProject(tmp_path / "tree", segments=2)
    space.write(
        "windrow.toml",
        '[project]\nname = "same"\n'
        + "".join(
            f'\n[[rule]]\nname = "{name}"\ncommand = "echo same > {{out}}"\noutputs = ["{name}"]\n'
            for name in ("one.png", "two")
        ),
    )

    space.build()

    artefacts = space.manifest().artefacts
    data = [
        path for path in (space.cache / "store/blobs").rglob("*") if path.is_file() and path.read_bytes() == b"same\n"
    ]
    assert artefacts["one.png"].hash == artefacts["two"].hash
    assert [path.name for path in data] == [hashing.bare(artefacts["two"].hash)]


def test_the_manifest_changes_only_where_a_hash_does(made: MovieProject) -> None:
    """S2-37: an unchanged result keeps its hash, and the content hash tells trees apart."""
    before = made.manifest()
    made.change("MusicalStyle")
    made.build()

    after = made.manifest()

    changed = {path for path, made_ in after.artefacts.items() if made_ != before.artefacts[path]}
    assert changed == {"movie/musicprompt", "movie/music", "movie/timeline", "movie/movie"}
    assert after.content_hash != before.content_hash
    made.change("MusicalStyle", "the MusicalStyle\n")
    made.build()
    assert made.manifest().content_hash == before.content_hash


def test_end_to_end(movie: MovieProject) -> None:
    """S2-33, S2-36, S2-38, S2-43: artefacts, events, manifest and pointer after the first build."""
    said = movie.console.run("build", "--json")

    report = said.json()
    manifest = movie.manifest()
    blobs = movie.project().stores.blobs
    assert (report["status"], report["executed"], report["layers"]) == ("ok", JOBS, list(LAYERS))
    assert (report["revision"], report["base_revision"], report["outputs_written"]) == ("rev-0001", None, ARTEFACTS)
    assert all(blobs.get(made.hash) == (movie.root / path).read_bytes() for path, made in manifest.artefacts.items())
    assert "the InquiryPrompt" in movie.read("movie/movie")
    assert movie.project().load_base().pointer == msgspec.json.decode(
        (movie.records / "current.json").read_bytes(), type=Pointer
    )
    assert list(log_of(movie).read()) == []


# -- milestone 7: the loop ------------------------------------------------------------------------------


def test_diff_lists_exactly_what_changed(made: MovieProject) -> None:
    """S2-39, S2-40, W3-10: after VoiceId, five artefacts, with both hashes."""
    made.change("VoiceId")
    made.build()

    printed = made.console.run("diff", "rev-0001..rev-0002", "--json").json()
    text = made.console.run("diff", "1..2", "--exit-code")

    differences = printed["differences"]
    assert [(d["kind"], d["change"], d["path"]) for d in differences] == [
        ("source", "changed", "inputs/VoiceId"),
        *(("artefact", "changed", f"movie/{name}") for name in ("audio0", "audio1", "audio2", "movie", "timeline")),
    ]
    assert all(hashing.is_digest(d["was"]) and hashing.is_digest(d["now"]) for d in differences)
    assert (text.code, len(text.out.splitlines())) == (10, 6)
    assert made.console.run("diff", "rev-0002..", "--exit-code").code == 0


def test_build_diff_shows_the_changed_artefacts(made: MovieProject) -> None:
    """S2-41: plan, execute and commit in one command."""
    made.blueprint(2)

    said = made.console.run("build", "--diff")

    marks = Counter(line.split()[0] for line in said.out.splitlines())
    assert (said.code, marks["-"]) == (0, 6)
    assert re.search(r"^~ artefact movie/movie  sha256:[0-9a-f]{12} → sha256:[0-9a-f]{12}$", said.out, re.MULTILINE)
    assert "revision rev-0001 → rev-0002" in said.err


def test_past_manifests_can_be_shown(made: MovieProject) -> None:
    """S2-42, W3-10: rev-0001 after rev-0003; one that is not there is an error that names those that are."""
    first = made.manifest()
    for text in ("one\n", "two\n"):
        made.change("Style", text)
        made.build()

    shown = made.console.run("show", "--revision", "rev-0001", "--json").json()
    missing = made.console.run("show", "--revision", "9")
    wrong = made.console.run("show", "--revision", "rev-x")

    assert msgspec.convert(shown, Manifest) == first
    assert missing.code == 2
    assert "kept are rev-0001, rev-0002, rev-0003" in missing.err
    assert wrong.code == 2
    assert "is no revision" in wrong.err


def test_rev_10000_comes_after_rev_9999(made: MovieProject) -> None:
    """S2 R07, C35, W3-10: numbers, not text."""
    manifest = msgspec.structs.replace(made.manifest(), revision=9999)
    data = canonical.encode(manifest)
    (made.records / "manifests/rev-9999.json").write_bytes(data)
    pointer = msgspec.structs.replace(
        msgspec.json.decode((made.records / "current.json").read_bytes(), type=Pointer),
        revision=9999,
        manifest_hash=hashing.of_bytes(data),
    )
    (made.records / "current.json").write_bytes(canonical.encode(pointer))
    made.change("Style", "one\n")
    first = made.build()
    made.change("Style", "two\n")
    second = made.build()

    listed = made.console.run("builds", "--json").json()["builds"]
    differing = made.console.run("diff", "rev-9999..rev-10000", "--json").json()

    assert (first.revision, second.revision) == (10000, 10001)
    assert [run["revision"] for run in listed] == ["rev-10001", "rev-10000", "rev-0001"]
    assert differing["to"] == "rev-10000"
    assert revision_name(10000) == "rev-10000"


# -- milestone 8: observability -------------------------------------------------------------------------


def test_status_shows_the_numbers_of_revision_and_last_build(made: MovieProject) -> None:
    """S2-44, S2-46, S2-47, W3-15: they equal the sums of what is stored."""
    made.change("VoiceId")
    report = made.build()

    status = made.console.run("status", "--json").json()
    text = made.console.run("status").out

    manifest, last = made.manifest(), status["last_build"]
    assert (status["revision"], status["content_hash"]) == ("rev-0002", manifest.content_hash)
    assert (status["sources"], status["artefacts"], status["jobs"]) == (7, ARTEFACTS, JOBS)
    assert status["job_seconds"] == round(sum(job.seconds for job in manifest.jobs.values()), 3)
    assert (last["planned"], last["executed"], last["reused"]) == (report.planned, report.executed, 0)
    listed = made.console.run("builds").out
    assert last["committed"]
    assert re.search(rf"^{last['build']}  \S+  ok +rev-0002 ", listed, re.MULTILINE)
    assert "24 artefacts of 17 jobs" in text
    assert "5 executed, 0 reused, 0 failed, 0 skipped" in text


def test_status_lists_failed_jobs(made: MovieProject) -> None:
    """S2-46, W3-04: Audio[1] with its exit code; the pointer is what it was, byte for byte."""
    pointer = (made.records / "current.json").read_bytes()
    made.broken.touch()
    made.change("VoiceId")

    said = made.console.run("build", "--keep-going")
    status = made.console.run("status")

    assert said.code == 1
    assert (made.records / "current.json").read_bytes() == pointer
    assert "FAILED audio1:movie/audio1 (exit 1)" in status.out
    assert re.search(r"^[0-9a-f]{6}  \S+  failed +- ", made.console.run("builds").out, re.MULTILINE)
    assert "rev-0001" in status.out
    events = [entry.event for entry in log_of(made).read() if isinstance(entry.event, ArtefactEvent)]
    assert {(event.produced_by, event.status) for event in events if event.status != "executed"} == {
        ("audio1:movie/audio1", "failed"),
        ("timeline:movie/timeline", "skipped"),
        ("exporter:movie/movie", "skipped"),
    }


@pytest.mark.parametrize(
    ("keep_going", "ok", "skipped"), [pytest.param(False, 7, 9, id="stops"), pytest.param(True, 14, 2, id="goes on")]
)
def test_a_first_run_that_fails_is_taken_up_where_it_ended(
    movie: MovieProject, keep_going: bool, ok: int, skipped: int
) -> None:
    """S2-45, W3 last two rows (U14, U15): no commit; what succeeded is not done again."""
    movie.environ["WINDROW_JOBS"] = "8"
    movie.broken.touch()
    first = movie.build(failures=0 if keep_going else 1, schedule="layers")
    between = movie.project().load_base()
    status = movie.console.run("status").out
    movie.broken.unlink()

    second = movie.build()

    assert (first.planned, first.executed, first.failed, first.skipped) == (JOBS, ok, 1, skipped)
    assert (first.revision, between.revision) == (0, 0)
    assert f"{ok} executed, 0 reused, 1 failed, {skipped} skipped" in status
    assert (second.status, second.executed, sum(second.reused.values())) == ("ok", JOBS - ok, ok)
    assert second.revision == 1


@pytest.mark.fault
@pytest.mark.parametrize(("place", "done"), [("worker.stored", 1), ("materialise.journal-written", JOBS)])
def test_a_build_that_was_killed_is_taken_up_where_it_ended(movie: MovieProject, place: str, done: int) -> None:
    """S2-45: after its first job, or when all were done and no output was in place."""
    killed = movie.console.run("build", "-j", "1", env={"WINDROW_FAILPOINT": f"{place}=kill"})

    again = movie.build()

    assert killed.code == -signal.SIGKILL
    assert (again.status, again.executed, again.reused) == ("ok", JOBS - done, {"local": done})


# -- milestone 9: steps ---------------------------------------------------------------------------------


def test_the_four_steps_one_after_the_other(movie: MovieProject) -> None:
    """S2-48, W3-14, W3-18: load, plan, execute a layer at a time, save; each alone, and harmless when repeated."""
    assert movie.project().load_base() == movie.project().load_base()
    assert movie.look().plan == movie.look().plan
    ran = []
    for layer in range(4):
        report = movie.build(up_to_layer=layer)
        repeated = movie.build(up_to_layer=layer)
        ran.append(report.executed)
        assert (report.revision, repeated.revision, repeated.executed) == (0, 0, 0)

    last = movie.build()

    assert (ran, last.executed, last.revision) == ([1, 7, 7, 1], 1, 1)
    assert sum(last.reused.values()) == JOBS - 1


def test_a_layer_s_jobs_are_made_once_when_a_build_stops_after_it(movie: MovieProject) -> None:
    """W3-14: 8 jobs, no commit; going on runs 9."""
    said = movie.console.run("build", "--up-to-layer", "1", "--json").json()
    rest = movie.console.run("build", "--json").json()

    assert (said["planned"], said["executed"], said["revision"]) == (8, 8, None)
    assert said["not_committed"] == "only layers 0 to 1 of 5 were asked for"
    assert (rest["executed"], rest["revision"]) == (9, "rev-0001")


def test_a_target_runs_what_it_needs_and_nothing_else(made: MovieProject) -> None:
    """Design 6: not even what reads it; no commit, and going on runs the rest."""
    made.change("MusicalStyle")

    part = made.build(targets=["movie/music"])
    ran = made.ran()
    rest = made.build()

    assert (part.planned, ran, part.revision) == (2, ["music", "musicprompt"], 0)
    assert part.not_committed == "only some targets were asked for"
    assert (made.ran(), rest.revision) == (["exporter", "timeline"], 2)


def test_a_cycle_is_told_with_its_chain_and_nothing_is_planned(movie: MovieProject) -> None:
    """W3-12."""
    movie.write(
        "windrow.toml",
        '[project]\nname = "movie"\n'
        + "".join(
            f'\n[[rule]]\nname = "{one}"\ninputs = ["{two}"]\ncommand = "cp {{in}} {{out}}"\noutputs = ["{one}"]\n'
            for one, two in (("a", "b"), ("b", "c"), ("c", "a"))
        ),
    )

    said = movie.console.run("plan", "--save")

    assert said.code == 2
    assert all(name in said.err for name in ("a", "b", "c"))
    assert "cycle" in said.err
    assert not list(movie.records.glob("runs/*"))


def test_the_store_is_whole_after_all_this(made: MovieProject) -> None:
    """S2-52 as a command: every blob read, every record followed."""
    made.change("Style")
    made.build()

    said = made.console.run("cache", "verify")

    assert (said.code, "all is well" in said.out) == (0, True)


def test_a_damaged_blob_is_found_and_made_again(made: MovieProject) -> None:
    """W3-09: with --repair it is dropped, and the next build that needs it makes it."""
    damaged = made.manifest().artefacts["movie/music"].hash
    path = made.cache / "store/blobs" / hashing.bare(damaged)[:2] / hashing.bare(damaged)
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)

    found = made.console.run("cache", "verify", "--repair")
    mended = made.build()

    assert (found.code, damaged in found.out or hashing.bare(damaged) in found.out) == (10, True)
    assert "music" in made.ran()
    assert mended.status == "ok"
    assert made.console.run("cache", "verify").code == 0


def test_a_log_of_another_process_is_the_same_log(made: MovieProject) -> None:
    """S2-54, S2-08: what is written there is read here."""
    code = "import sys; from pathlib import Path; from coordinator.history.file_log import FileLog\nfrom shared.model.event import InputEvent\n"
    code += "FileLog(Path(sys.argv[1]), print).append([InputEvent('there', 2, '', 'deleted', 'b', '2026-01-01T00:00:00.000Z')])"
    subprocess.run(
        [sys.executable, "-c", code, str(made.records / "events")], check=True, cwd=Path(__file__).parents[2]
    )
    warnings: list[str] = []

    (entry,) = FileLog(made.records / "events", warnings.append).read()

    assert isinstance(entry.event, InputEvent)
    assert (entry.event.id, warnings) == ("there", [])
    (made.records / "events/inputs.log").write_bytes(b"\x00\n")
    with pytest.raises(CorruptRecord):
        list(log_of(made).read())
