"""A film that runs: layers and rates, any number of workers, collection, a store that is shared."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from pathlib import Path

from coordinator.request import Request
from coordinator.survey import survey
from tests.scenarios.film import Film, paint

# Times of this machine, which runs other things as well.
SLACK = 5


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
