"""What is asked of a film: status, targets, graph, what is affected, revisions, dry runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from coordinator.history.archive import archived
from shared.model.event import ArtefactEvent
from tests.scenarios.film import ARTEFACTS, Film


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
    golden = Path(__file__).parents[2] / "golden/film-graph.json"
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


def test_a_dry_run_shows_layers_and_stores_nothing(film: Film) -> None:
    """W3-13."""
    stored, tree = film.stored(), film.tree()

    said = film.console.run("build", "--dry-run")

    assert said.out.startswith("17 jobs in 5 layers, 0 unchanged\nlayer 0  1 job\n")
    assert (film.stored(), film.tree()) == (stored, tree)
