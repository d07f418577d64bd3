"""Workload W3: a film made of a blueprint, its table of edits, and W3-01 to W3-20 as far as they are the film's own.

What holds for any project is tested on declared rules, in test_seed_s2.py and beside the parts; the ids are there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator import build as building
from coordinator import edits
from coordinator.history import replay
from coordinator.history.archive import archived
from coordinator.request import Request
from coordinator.survey import survey
from shared import hashing
from shared.model.event import ArtefactEvent, InputEvent
from tests.scenarios.film import ARTEFACTS, FIRST, JOBS, LAYERS, Film, paint

# Times of this machine, which runs other things as well.
SLACK = 5
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
    film.take_over(origin, "movie")
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


# -- status ---------------------------------------------------------------------------------------------


def test_status_counts_kinds_costs_and_durations(made: Film) -> None:
    """W3-15, S2-44, S2-47: cost and seconds are the sums of the events; what the film costs, and what the build did."""
    made.give(VoiceId="stern")
    made.build()

    status = made.console.run("status", "--json").json()
    text = made.console.run("status").out

    events = archived(made.project().stores.refs, "movie", "main", 2) or []
    spent = {
        e.produced_by: (e.seconds, e.cost) for e in events if isinstance(e, ArtefactEvent) and e.status == "executed"
    }
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


def test_what_is_affected_since_a_commit_goes_by_the_blueprint_of_then(film: Film) -> None:
    """Only what the edit of the blueprint or of an input changes; the expansion of that commit is made anew for it."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, *words], cwd=film.root, check=True, capture_output=True)

    def jobs() -> set[str]:
        told = film.console.run("affected", "--since", "HEAD", "--json").json()
        return {job["job"].removeprefix("Producer:") for job in told["jobs"]}

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message=film")
    same = jobs()
    film.configure("Music", tempo=90)
    slower = jobs()
    git("commit", "--quiet", "--all", "--message=tempo")
    film.give(VoiceId="stern")
    voices = jobs()

    assert same == set()
    assert slower == {"Music", "Timeline", "Exporter"}
    assert voices == {"Audio[segment=0]", "Audio[segment=1]", "Audio[segment=2]", "Timeline", "Exporter"}


# -- pending edits --------------------------------------------------------------------------------------


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


# -- dispatch, stores, farms ----------------------------------------------------------------------------


def test_strict_layers_and_rate_keys_bound_what_runs_at_once(film: Film, tmp_path: Path) -> None:
    """W3-03: no layer begins before the one before is complete; of 8 slots at most 4 hold images, as these count."""
    for folder in ("inside", "counts"):
        (tmp_path / folder).mkdir()
    film.write("tools/paint.py", paint(0.03))
    film.give(NumOfSegments=4, NumOfImages=3)
    call = "  Image:\n    call: tools/paint.py:image\n    config: " + json.dumps({"inside": str(tmp_path / "inside")})
    film.amend("  Image:\n    call: mock.text", call)
    film.environ["WINDROW_JOBS"] = "8"
    layer_of = {job.id: job.layer for job in film.look().plan.jobs.values()}

    report = film.build(schedule="layers")

    done = Counter[int]()
    for what, job in film.observer.order:
        if what == "started":
            assert all(done[n] == report.layers[n] for n in range(layer_of[job])), job
        elif what == "executed":
            done[layer_of[job]] += 1
    counts = [int(path.read_text()) for path in (tmp_path / "counts").iterdir()]
    assert (report.executed, report.failed, len(counts)) == (25, 0, 12)
    assert 2 <= max(counts) <= 4


def test_layers_one_by_one_commit_nothing_until_all_are_done(film: Film) -> None:
    """W3-14: 8 jobs up to layer 1; going on runs 9."""
    part = film.build(up_to_layer=1)
    rest = film.build()

    assert (part.executed, part.revision, rest.executed, rest.revision) == (8, 0, 9, 1)


def test_revisions_of_the_film_can_be_shown_and_compared(made: Film) -> None:
    """W3-10: after VoiceId the five artefacts, and the input that did it; the first revision is still there."""
    made.give(VoiceId="stern")
    made.build()
    made.give(Style="woodcut")
    made.build()

    found = made.console.run("diff", "rev-0001..rev-0002", "--json").json()["differences"]
    shown = made.console.run("show", "--revision", "rev-0001", "--json").json()

    assert [one["path"] for one in found if one["kind"] == "artefact"] == [
        *(f"movie/Audio/segment-{n}.mp3" for n in range(3)), "movie/Movie.mp4", "movie/Timeline.json",
    ]  # fmt: skip
    assert [one["path"] for one in found if one["kind"] == "input"] == ["Input:VoiceId"]
    assert (shown["revision"], len(shown["artefacts"])) == (1, ARTEFACTS)


def test_the_largest_film_is_planned_quickly_and_is_the_same_with_any_number_of_workers(tmp_path: Path) -> None:
    """W3-20: 215 jobs in layers of 1, 61, 151, 1 and 1."""
    contents = []
    for jobs in (1, 4):
        film = Film(tmp_path / f"with{jobs}", NumOfSegments=30, NumOfImages=5)
        film.environ["WINDROW_JOBS"] = str(jobs)
        project = film.project()
        base = project.load_base()
        survey(project, base, Request().question)  # what is hashed once is known
        begun = time.perf_counter()
        seen = survey(project, base, Request().question)
        took = time.perf_counter() - begun
        report = film.build()
        contents.append(film.manifest().content_hash)
        assert seen.plan.layers and took < 0.2 * SLACK
        assert (report.executed, report.layers) == (215, (1, 61, 151, 1, 1))

    assert len(set(contents)) == 1


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


def test_a_dry_run_shows_layers_and_stores_nothing(film: Film) -> None:
    """W3-13."""
    stored, tree = film.stored(), film.tree()

    said = film.console.run("build", "--dry-run")

    assert said.out.startswith("17 jobs in 5 layers, 0 unchanged\nlayer 0  1 job\n")
    assert (film.stored(), film.tree()) == (stored, tree)


def test_collecting_leaves_what_kept_revisions_name(made: Film) -> None:
    """W3-19: five revisions of which two are kept; a clean tree is restored from the last."""
    made.environ["WINDROW_CACHE__KEEP_REVISIONS"] = "2"
    for voice in ("a", "b", "c", "d"):
        made.give(VoiceId=voice)
        made.build()
    kept = {artefact.hash for n in (4, 5) for artefact in made.revision(n).artefacts.values()}  # type: ignore[union-attr]
    outputs = made.outputs()

    said = made.console.run("cache", "gc", env={"WINDROW_CACHE__KEEP_REVISIONS": "2", "WINDROW_CACHE__WINDOW": "0"})
    shutil.rmtree(made.root / "movie")
    report = made.build()

    assert said.code == 0, said.err
    assert made.project().stores.blobs.find_missing(kept) == set()
    assert (report.executed, made.outputs() == outputs) == (0, True)
    assert "not compared with the events: those of rev-0003 are not kept" in made.console.run("doctor").out


def test_the_film_is_the_same_where_its_store_is_shared(film: Film, tmp_path: Path) -> None:
    """Invariant 8: counts and contents; the form on a farm with a bucket is in test_movie_farm.py."""
    other = Film(tmp_path / "other")
    other.environ["WINDROW_STORAGE__URL"] = f"file://{tmp_path}/shared"
    reports = []
    for one in (film, other):
        first = one.build()
        one.give(Duration=90)
        second = one.build()
        reports.append((first.executed, second.planned, second.executed, second.reused, one.manifest().content_hash))

    assert reports[0] == reports[1]
    assert reports[0][:3] == (17, 17, 4)
