"""Dyndep files: made first, and only those that are needed; what is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.performers import PERFORMERS
from coordinator import steps
from coordinator.progress import Observers
from coordinator.project import Project
from coordinator.request import Request
from shared.clock import SystemClock
from shared.settings_load import load
from tests.scenarios.ninja_pair import Pair

NOTHING = "ninja: no work to do.\n"
BUILD = """\
rule scan
  command = cp $in $out && echo scan >> @LOG@
rule touch
  command = touch $out && echo $out >> @LOG@
rule cat
  command = cat $in > $out && echo $out >> @LOG@
build dd: scan dd.in
build out: cat in || dd
  dyndep = dd
build more: cat in
build plain: cat in
build alias: phony out
default alias
"""
SAYS = "ninja_dyndep_version = 1\nbuild out: dyndep | more\n"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    made.write("build.ninja", BUILD)
    made.write("in", "1\n")
    made.write("dd.in", SAYS)
    return made


def test_all_that_was_made_is_in_one_report_and_counted_in_a_row(pair: Pair) -> None:
    ninja, windrow = pair.both("-j1")

    assert windrow.ran == ninja.ran == ("more", "out", "scan")
    counted = [line.partition("]")[0] for line in windrow.out.splitlines()]
    assert counted == ["[1/1", "[2/3", "[3/3"]
    assert pair.both()[1].out == NOTHING


def test_a_dyndep_file_made_anew_is_work_though_it_comes_out_the_same(pair: Pair) -> None:
    pair.by_windrow()
    pair.write("build.ninja", BUILD.replace("cp $in", "cat < $in >"))

    windrow = pair.by_windrow("-j1")

    assert windrow.ran == ("scan",)
    assert NOTHING not in windrow.out


def test_those_that_a_target_does_not_need_are_not_made(pair: Pair) -> None:
    ninja, windrow = pair.both("plain")

    assert windrow.ran == ninja.ran == ("plain",)

    ninja, windrow = pair.both("alias")
    assert windrow.ran == ninja.ran == ("more", "out", "scan")


def test_one_that_its_edge_does_not_make_is_an_error(pair: Pair) -> None:
    pair.write("build.ninja", BUILD.replace("cp $in $out &&", ""))

    ninja, windrow = pair.both("-j1")

    assert (windrow.code, windrow.ran) == (ninja.code, ninja.ran) == (1, ("scan",))
    assert "loading 'dd': No such file or directory" in windrow.said


def test_one_of_an_older_build_file_is_made_anew_before_anybody_minds_it(pair: Pair) -> None:
    pair.by_ninja()
    pair.by_windrow()
    # As when a source is taken out: the file that is there still tells of it.
    pair.write("build.ninja", BUILD.replace(" out", " other"))
    pair.write("dd.in", SAYS.replace(" out", " other"))

    ninja, windrow = pair.both("-j1")

    assert (windrow.code, windrow.ran) == (ninja.code, ninja.ran) == (0, ("other", "scan")), windrow.said


def test_one_that_says_what_cannot_be_is_an_error_once_it_is_up_to_date(pair: Pair) -> None:
    pair.write("dd.in", SAYS.replace("out", "no-such"))

    for _ in range(2):
        ninja, windrow = pair.both("-j1")
        assert (windrow.code, ninja.code) == (1, 1)
        assert "no build statement exists for 'no-such'" in windrow.err


def test_one_that_another_dyndep_file_tells_of_comes_in_a_later_round(pair: Pair) -> None:
    more = "build dd2: scan dd2.in\nbuild last: cat in || dd2\n  dyndep = dd2\ndefault last\n"
    pair.write("build.ninja", BUILD.replace("default alias\n", more))
    pair.write("dd2.in", "ninja_dyndep_version = 1\nbuild last: dyndep | out\n")

    ninja, windrow = pair.both("-j1")

    assert windrow.ran == ninja.ran == ("last", "more", "out", "scan", "scan")
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)


def test_a_build_that_is_driven_step_by_step_commits_once(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "windrow.toml").write_text('[project]\nname = "steps"\n\n[ninja]\nfile = "build.ninja"\n')
    for name, text in (("build.ninja", BUILD.replace("@LOG@", "/dev/null")), ("in", "1\n"), ("dd.in", SAYS)):
        (tree / name).write_text(text)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WINDROW_CACHE_DIR": str(tmp_path / "cache")}

    def project() -> Project:
        settings = load(tree, flags={}, environ=environ)
        return Project(settings, environ=environ, clock=SystemClock(), performers=PERFORMERS)

    for layer in range(len(steps.compute_plan(project(), Request()).plan.layers)):
        steps.execute_layer(project(), Request(), layer, Observers(), base="")
    saved = steps.save_manifest(project(), Request(), Observers(), base="")

    assert (saved.status, saved.revision, saved.executed) == ("ok", 1, 0), saved.failures
    assert not steps.compute_plan(project(), Request()).plan
    base = steps.load_manifest(project())
    assert base.manifest is not None
    assert set(base.manifest.jobs) == {"scan:dd", "cat:more", "cat:out"}
