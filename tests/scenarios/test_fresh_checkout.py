"""A checkout of a branch that has a revision already: its outputs come from a store, and are counted as what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.scenarios.real_workspace import RealWorkspace

TOML = """
[project]
name = "fresh"
[storage]
url = "{store}"

[[rule]]
name = "sum"
each = "src/*.txt"
command = "sleep 0.05; wc -w < {{in}} > {{out}}"
outputs = ["out/{{stem}}.sum"]

[[rule]]
name = "total"
inputs = ["rule:sum"]
command = "cat {{in}} > {{out}}"
outputs = ["out/total"]
"""
TEXTS = {"a": "one", "b": "one two", "c": "one two three"}


def checkout(folder: Path, store: Path, *, cache: Path) -> RealWorkspace:
    """The sources alone."""
    project = RealWorkspace(folder, cache=cache)
    project.write("windrow.toml", TOML.format(store=f"file://{store}"))
    for name, text in TEXTS.items():
        project.write(f"src/{name}.txt", text)
    return project


@pytest.fixture
def first(tmp_path: Path) -> RealWorkspace:
    """Built on a machine of its own."""
    project = checkout(tmp_path / "first", tmp_path / "store", cache=tmp_path / "machine1")
    assert project.build().executed == 4
    return project


def test_on_another_machine_every_job_is_a_hit_of_the_shared_store(first: RealWorkspace, tmp_path: Path) -> None:
    """W1, "fresh checkout": planned, none executed, none cut off. The terminal, the records and the figures agree."""
    other = checkout(tmp_path / "second", tmp_path / "store", cache=tmp_path / "machine2")

    report = other.build()

    assert (report.planned, report.executed, report.reused) == (4, 0, {"remote": 4})
    assert (other.jobs("remote"), other.jobs("cut_off")) == (set(other.manifest().jobs), set())
    assert report.bytes_down == sum(len(data) for data in other.outputs().values())
    assert other.outputs() == first.outputs()
    run = json.loads(next((tmp_path / "store").rglob("rev-0002-progress.json")).read_text())
    assert (run["executed"], run["reused"]) == (0, 4)
    stats = other.console.run("cache", "stats", "--json").json()
    assert (stats["by_project"]["fresh"]["hits"], stats["by_project"]["fresh"]["misses"]) == (4, 4)


def test_on_the_same_machine_every_job_is_a_hit_of_its_cache(first: RealWorkspace, tmp_path: Path) -> None:
    """The same machine has the bytes already: nothing moves."""
    other = checkout(tmp_path / "second", tmp_path / "store", cache=tmp_path / "machine1")

    report = other.build()

    assert (report.planned, report.executed, report.reused, report.bytes_down) == (4, 0, {"local": 4}, 0)
    assert report.saved_seconds >= 3 * 0.05


def test_what_is_in_the_workspace_is_cut_off_and_what_is_not_is_a_hit(first: RealWorkspace) -> None:
    """One output lost, one damaged by hand; the others are where they were, and everything is planned."""
    first.delete("out/a.sum")
    first.write("out/b.sum", "by hand")

    report = first.build(full=True)

    assert (report.planned, report.executed, report.reused) == (4, 0, {"local": 2, "cut_off": 2})
    assert first.jobs("local") == {"sum:out/a.sum", "sum:out/b.sum"}


def test_what_a_job_took_is_remembered_when_its_result_is_reused(first: RealWorkspace) -> None:
    """What plans and figures go by: a job that was cut off still says how long it runs."""
    before = {id_: entry.seconds for id_, entry in first.manifest().jobs.items()}
    first.write("src/a.txt", "uno")
    report = first.build()
    total = first.manifest().jobs["total:out/total"].seconds

    assert (report.planned, report.executed, report.reused) == (2, 1, {"cut_off": 1})
    assert total == before["total:out/total"] > 0
    shutil.rmtree(first.root / "out")
    assert first.build().reused == {"local": 4}
