"""Graph and storage: what is stored, where, under one contract, and made again when it is damaged."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from coordinator import build as building
from coordinator.history import runs
from coordinator.request import Request
from shared import hashing
from shared.clock import iso
from shared.storage.compose import Stores, open_stores
from shared.storage.memory import MemoryBlobs, MemoryRefs
from shared.storage.stored_results import StoredResults
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.workspace import Workspace
from tests.scenarios.movie_project import MovieProject
from tests.scenarios.todo_project import TodoProject

GOLDEN = Path(__file__).parents[2] / "golden"


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
