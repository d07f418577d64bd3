"""A real project that takes longer than one may wait: stopped and gone on with, it is judged as if it ran in one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.real import harness
from benchmarks.real.engines import Engine, Ninja, Windrow
from benchmarks.real.harness import Place, TimeUp
from benchmarks.real.project import Edit, Project

BUILD = """\
rule copy
  command = cp $in $out
rule wait
  command = until [ -e {gate} ]; do sleep 0.05; done; cp $in $out
build b: copy ../src/a
build c: wait b
"""


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Until this file is there one of the commands waits."""
    return tmp_path / "gate"


@pytest.fixture
def project(tmp_path: Path, gate: Path) -> Project:
    """Two commands, in a folder that is copied instead of fetched."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "a").write_text("one\n")
    (sources / "build.ninja").write_text(BUILD.format(gate=gate))
    return Project(
        name="two",
        version="1",
        fetch=lambda _cache: sources,
        configure=("sh", "-c", "mkdir build && cp src/build.ninja build"),
        header=Edit("a", "one", "two"),
        source=Edit("a", "two", "three"),
        flag=("sed", "-i", "s/cp /cp -f /", "build/build.ninja"),
        deleted="c",
    )


@pytest.mark.parametrize("kind", [Ninja, Windrow])
def test_what_was_stopped_is_gone_on_with(kind: type, project: Project, tmp_path: Path, gate: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    def engine(place: Place) -> Engine:
        environ = {**place.environ, "WINDROW_CACHE_DIR": str(tmp_path / "cache")}
        made: Engine = Ninja(environ) if kind is Ninja else Windrow("windrow", environ)
        return made

    stopped = Place(project, home, tmp_path)
    with pytest.raises(TimeUp, match="clean by"):
        stopped.through(engine(stopped), stopped.cases(), time.monotonic() + 1.5)
    gate.touch()
    resumed = Place(project, home, tmp_path)
    left = resumed.through(engine(resumed), resumed.cases())

    assert (left["clean"].ran.pieces, left["clean"].ran.executed) == (2, {"b", "c"})
    assert (left["no-op"].ran.pieces, left["no-op"].ran.executed) == (1, frozenset())
    assert (home / "place/tree/build/c").read_text() == "three\n"
    whole = Place(project, _made(tmp_path / "another"), tmp_path)
    judged = harness.judge(whole.through(Ninja(whole.environ), whole.cases()), left)
    assert {name: verdict for name, verdict in judged.items() if verdict.differing or verdict.idle} == {}


def test_what_had_ended_is_not_run_again(project: Project, tmp_path: Path, gate: Path) -> None:
    gate.touch()
    place = Place(project, _made(tmp_path / "home"), tmp_path)
    first = place.through(Ninja(place.environ), place.cases())

    again = Place(project, tmp_path / "home", tmp_path)

    assert (again.edges, again.through(Ninja({"PATH": "/nowhere"}), again.cases())) == (2, first)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
