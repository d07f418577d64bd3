"""Diffs, past revisions, status; and builds that failed or were killed are taken up again."""

from __future__ import annotations

import re
import signal
from collections import Counter

import msgspec
import pytest

from shared import canonical, hashing
from shared.model.event import ArtefactEvent
from shared.model.manifest import Manifest, Pointer, revision_name
from tests.scenarios.film_by_rules.looks import ARTEFACTS, JOBS, log_of
from tests.scenarios.movie_project import MovieProject


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
