"""A build.ninja on a farm: which edges run on this machine, and which on workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.performers import PERFORMERS
from coordinator import build as building
from coordinator.project import Project
from coordinator.request import Request
from shared.clock import SystemClock
from shared.settings_load import load
from tests.console import Console
from tests.fakes.observer import RecordingObserver

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

BUILD = """\
pool few
  depth = 1
rule cat
  command = cat $in > $out && echo '$out: $in' > $out.d
  depfile = $out.d
rule docs_html
  command = cat $in > $out
build any: cat in
build said: cat in
  local = 1
build pooled: cat in
  pool = few
build html: docs_html in
build in_place: cat in
  pool = console
"""
SETTINGS = '[project]\nname = "local"\n\n[ninja]\nfile = "build.ninja"\nlocal = ["docs_*"]\n'


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Console]:
    folder = tmp_path / "tree"
    folder.mkdir()
    for name, text in {"build.ninja": BUILD, "windrow.toml": SETTINGS, "in": "1\n"}.items():
        (folder / name).write_text(text)
    console = Console(folder, tmp_path / "cache")
    up = console.run("farm", "up", "--workers", "1", "--write")
    assert up.code == 0, up.err
    yield console
    assert console.run("farm", "down").code == 0


class Where(RecordingObserver):
    """Where each job began: "here", or the name of a worker."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, str] = {}

    def started(self, job: str, worker: str) -> None:
        super().started(job, worker)
        self.places[job] = worker


def test_what_an_edge_a_pool_or_the_settings_call_local_runs_here_and_the_rest_on_workers(farm: Console) -> None:
    environ = farm.environment()
    settings = load(farm.folder, flags={}, environ=environ)
    project = Project(settings, environ=environ, clock=SystemClock(), performers=PERFORMERS)
    where = Where()

    report = building.build(project, Request(), where)

    assert (report.status, report.executed, where.warnings) == ("ok", 5, [])
    here = {job for job, worker in where.places.items() if worker == "here"}
    assert here == {"cat:said", "cat:pooled", "docs_html:html", "cat:in_place"}
    assert where.places.keys() - here == {"cat:any"}
    assert (farm.folder / "any.d").read_text() == "any: in\n"
    assert farm.run("build", "--json").json()["status"] == "no-changes"
