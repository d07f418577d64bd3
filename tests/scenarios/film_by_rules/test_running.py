"""Running: progress, layers, jobs at once, equal bytes stored once."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from shared import hashing
from shared.model.manifest import Pointer
from tests.console import ended
from tests.scenarios.film_by_rules.looks import ARTEFACTS, JOBS, LAYERS, log_of
from tests.scenarios.movie_project import MovieProject
from tests.traps.arena import Gate


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
