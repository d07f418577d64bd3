"""Workload W3 when things go wrong: the film's builds are killed, compete, lose a worker or a blob."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from coordinator.history import replay
from shared import hashing
from tests.console import ended
from tests.scenarios.film import ARTEFACTS, JOBS, Film
from tests.sweeps import sampled
from tests.waiting import until

KILLED = -signal.SIGKILL
STYLE = 11  # jobs that another style plans, all of which execute
AFTER_COMMIT = ("commit.after-pointer", "events.archived", "events.trimmed", "lock.before-release")
PLACES = (
    "runs.plan-saved",
    "events.inputs-told",
    "worker.ran",
    "worker.uploaded",
    "worker.stored",
    "events.artefacts-told",
    "materialise.journal-written",
    "materialise.done",
    "commit.before-manifest",
    "commit.after-manifest",
    "commit.before-pointer",
    *AFTER_COMMIT,
)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Built once; nobody changes it."""
    project = Film(tmp_path_factory.mktemp("origin") / "tree")
    assert project.build().executed == JOBS
    return project


@pytest.fixture
def made(origin: Film, tmp_path: Path) -> Iterator[Film]:
    """Rev-0001 is there."""
    film = Film(tmp_path / "tree")
    film.take_over(origin, "movie")
    yield film


def results(film: Film) -> set[str]:
    """The results that are stored, traces among them."""
    return {path.name for path in (film.cache / "store/results").rglob("*") if path.is_file() and path.name[0] != "."}


def whole(film: Film) -> None:
    """The current revision is complete, and its events tell the same."""
    manifest = film.manifest()
    missing = film.project().stores.blobs.find_missing([made.hash for made in manifest.artefacts.values()])
    assert (len(manifest.artefacts), missing) == (ARTEFACTS, set())
    assert replay.check(film.project().stores.refs, manifest) == replay.Replay(())


@pytest.mark.fault
@pytest.mark.parametrize("place", sampled(PLACES, {"runs.plan-saved", "worker.stored", "commit.after-manifest"}))
def test_w3_06_a_film_killed_anywhere_is_made_good_and_nothing_stored_is_executed_again(made: Film, place: str) -> None:
    """W3-06: current is the old or the new revision, whole; the next build succeeds and executes what is left."""
    known = results(made)
    made.give(Style="woodcut")
    made.environ["WINDROW_JOBS"] = "1"

    killed = made.console.run("build", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    stored = len(results(made) - known)
    between = made.manifest()
    report = made.build()

    assert killed.code == KILLED, killed.err
    assert between.revision == (2 if place in AFTER_COMMIT else 1)
    assert report.status == ("no-changes" if place in AFTER_COMMIT else "ok")
    assert report.executed == (0 if place in AFTER_COMMIT else STYLE - stored)
    assert made.manifest().revision == (2 if place in AFTER_COMMIT else made.manifest().revision) > 1
    assert {path: (made.root / path).read_bytes() for path in made.manifest().artefacts} == made.outputs_on_disk()
    assert made.build().status == "no-changes"
    assert "the archived events tell the same as the manifest" in made.console.run("doctor").out
    # Events that were not archived any more are so with the next revision.
    made.give(VoiceId="stern")
    assert made.build().executed == 5
    whole(made)


@pytest.mark.fault
@pytest.mark.parametrize(
    "place",
    sampled(["commit.before-manifest", "commit.after-manifest", "commit.before-pointer"], {"commit.before-pointer"}),
)
def test_w3_05_of_builds_from_one_base_one_commits_each_time(made: Film, place: str) -> None:
    """W3-05: the first is overtaken after its lock was broken, time and again; what it made is there for the next."""
    for round_, (first, second) in enumerate([("noir", "woodcut"), ("pastel", "comic"), ("ink", "oil")], 1):
        base = made.manifest().revision
        made.give(Style=first)
        slow = made.console.start("build", env={"WINDROW_FAILPOINT": f"{place}=stop"})
        until(lambda: psutil.Process(slow.pid).status() == psutil.STATUS_STOPPED, what="the first build at its commit")
        broken = made.console.run("lock", "break")
        other = Film.__new__(Film)
        Film.__init__(other, made.root.parent / f"other{round_}", cache=made.cache, **{**made.inputs, "Style": second})
        quick = other.build()
        os.kill(slow.pid, signal.SIGCONT)
        said = ended(slow)

        assert broken.code == 0, broken.err
        assert (quick.status, quick.base_revision) == ("ok", base)
        assert said.code in (11, 32), said.err
        assert "error[W" in said.err
        now = made.manifest()
        assert (now.base_revision, now.inputs["Input:Style"]) == (base, hashing.of_value(second))
        whole(made)
        made.give(Style=second)
        assert made.build().executed == 0


def test_w3_09_a_damaged_blob_of_a_film_is_never_used_and_made_again(made: Film) -> None:
    """W3-09: found by its hash; with --repair what names it is dropped, and the job that made it is executed again."""
    artefact = made.manifest().artefacts["movie/Music.mp3"]
    path = made.cache / "store/blobs" / hashing.bare(artefact.hash)[:2] / hashing.bare(artefact.hash)
    path.chmod(0o644)
    path.write_bytes(b"x" * artefact.size)

    found = made.console.run("cache", "verify", "--repair", "--json")
    mended = made.build()

    assert (found.code, found.json()["corrupt"]) == (10, [artefact.hash])
    assert ("ok", {"Music"}) == (mended.status, made.ran())
    assert made.manifest().artefacts["movie/Music.mp3"].hash == artefact.hash
    assert made.console.run("cache", "verify").code == 0


def test_w3_16_the_events_of_all_revisions_tell_what_the_manifest_says(made: Film) -> None:
    """W3-16: through edits, an artefact by hand, segments that came and went, and an edit that was taken back."""
    made.give(NumOfSegments=4)
    made.build()
    made.write("movie/Narration/segment-1.txt", "By hand.\n")
    made.build()
    made.give(NumOfSegments=2)
    made.build()
    made.give(NumOfSegments=3, VoiceId="stern")
    made.build()
    made.give(VoiceId="calm")
    made.build()
    refs, manifest = made.project().stores.refs, made.manifest()

    links = replay.chain(refs, manifest)

    assert [link.revision for link in links] == [6, 5, 4, 3, 2, 1]
    assert all(replay.check(refs, link) == replay.Replay(()) for link in links)


def test_w3_17_a_film_is_planned_the_same_in_any_locale_and_place(tmp_path: Path) -> None:
    """W3-17: byte for byte, with other hash seeds, locales and time zones, and inputs in another order."""
    one, two = Film(tmp_path / "one"), Film(tmp_path / "a/longer/path/two")
    two.inputs = dict(reversed(two.inputs.items()))
    two.give()

    plans = [
        one.console.run("plan", "--json", env={"PYTHONHASHSEED": "1", "LC_ALL": "C"}),
        two.console.run("plan", "--json", env={"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}),
    ]
    built = [one.build(), two.build()]

    assert [plan.code for plan in plans] == [0, 0]
    without_place = [plan.out for plan in plans]
    assert without_place[0] == without_place[1]
    assert [report.executed for report in built] == [JOBS, JOBS]
    assert one.outputs_on_disk() == two.outputs_on_disk()
    assert one.manifest().inputs == two.manifest().inputs


HOLD = """
import json
import os
import time
from pathlib import Path


def image(text):
    job = json.loads(text)
    with open(Path(job["config"]["folder"]) / "begun", "a") as begun:
        begun.write(f"{os.getpid()} {job['id']}\\n")
    while (Path(job["config"]["folder"]) / "hold").exists():
        time.sleep(0.02)
    Path(job["makes"]["Image"]).write_text(job["id"])
"""


@pytest.mark.slow
@pytest.mark.live
@pytest.mark.fault
def test_w3_07_a_worker_killed_in_a_job_of_a_film_costs_one_more_try(tmp_path: Path) -> None:
    """W3-07: delivered again, one success counted, each artefact told of once.

    That a second delivery begins nothing, and the same work later is reused: test_movie_farm.py.
    """
    film = Film(tmp_path / "tree")
    (tmp_path / "hold").touch()
    film.write("tools/hold.py", HOLD)
    call = "  Image:\n    call: tools/hold.py:image\n    config: " + json.dumps({"folder": str(tmp_path)})
    film.amend("  Image:\n    call: mock.text", call)
    assert film.console.run("farm", "up", "--workers", "2", "--write").code == 0
    try:
        workers = film.console.run("farm", "status", "--json").json()["worker_pids"]
        building = film.console.start("build", "--json")
        until(lambda: (tmp_path / "begun").exists(), what="the first image")
        pid, held = (tmp_path / "begun").read_text().splitlines()[0].split(maxsplit=1)
        victim = next(
            one for one in map(psutil.Process, workers) if int(pid) in {c.pid for c in one.children(recursive=True)}
        )
        family = [victim, *victim.children(recursive=True)]
        victim.kill()
        until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))
        (tmp_path / "hold").unlink()
        said = ended(building, 120)
        listed = film.console.run("events", "list", "--revision", "rev-0001").out.splitlines()
        doctor = film.console.run("doctor").out
    finally:
        assert film.console.run("farm", "down").code == 0

    report = said.json()
    begun = Counter(line.split(maxsplit=1)[1] for line in (tmp_path / "begun").read_text().splitlines())
    told = Counter(event["artefact"] for event in map(json.loads, listed) if event.get("status") == "executed")
    assert (said.code, report["executed"], report["failed"]) == (0, JOBS, 0)
    assert begun[held] == 2
    assert set(told.values()) == {1}
    assert len(told) == ARTEFACTS
    assert "the archived events tell the same as the manifest" in doctor
