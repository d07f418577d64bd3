"""Dispatch: what is made or run again: damaged inputs, files a command wants, later tries."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.dispatch.report import Options
from coordinator.dispatch.tree import RunTree
from coordinator.dispatch.wanted import match_wanted
from shared import hashing
from shared.errors import BlobMissing
from shared.model.action import ActionResult, Output
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.job import JobOutcome
from shared.model.snapshot import Snapshot
from tests.fakes.performer import fail
from tests.unit.coordinator.scheduler.bench import Bench, step


def test_a_damaged_input_is_made_again(chain):
    chain.run()
    chain.spoil("mid")
    chain.recipes[1] = Recipe("r:final", "r", ("run", "final", "differently"), ("final",), ("mid",))

    report = chain.run()

    assert chain.performer.performed.count("r:mid") == 1
    assert set(report.results) == {"r:mid", "r:final"}
    assert report.added == ("r:mid",)
    assert any("making them again" in text for text in chain.observer.warnings)


def test_a_damaged_hit_is_made_again(chain):
    chain.run()
    chain.spoil("final")
    chain.manifest = None

    report = chain.run()

    assert chain.performer.performed == ["r:final"]
    assert report.how == {"r:mid": "local", "r:final": "executed"}


def test_a_remade_input_that_comes_out_otherwise_reopens_what_read_it(tmp_path):
    recipes = [step("mid", "in"), step("one", "mid"), step("two", "mid")]
    bench = Bench(tmp_path, recipes, {"in": "1"})
    bench.run()
    bench.spoil("mid")
    bench.scripts["r:mid"] = lambda order: bench.performer.succeed(order, text="otherwise")
    bench.recipes = [recipes[0], Recipe("r:one", "r", ("run", "changed"), ("one",), ("mid",)), recipes[2]]

    report = bench.run()

    remade = report.results["r:mid"].outputs[0].hash
    assert bench.performer.performed.count("r:two") == 1
    assert bench.manifest.artefacts["mid"].hash == remade
    assert set(report.results) == {"r:mid", "r:one", "r:two"}


def test_an_input_that_cannot_be_made_again_is_an_error(chain):
    chain.scripts["r:final"] = lambda order: JobOutcome(
        order.job, order.attempt, "missing", missing=(order.action.inputs[0].hash,), worker="w"
    )

    with pytest.raises(BlobMissing):
        chain.run()

    assert chain.performer.cancelled


def test_a_file_that_a_command_wants_is_given_to_it_once(tmp_path):
    bench = Bench(tmp_path, [step("out", "in")], {"in": "1", "tools/gen.py": "x"})

    def script(order):
        if any(item.path == "tools/gen.py" for item in order.action.inputs):
            return bench.performer.succeed(order)
        return fail(wanted=("gen.py",))(order)

    bench.scripts["r:out"] = script
    report = bench.run()

    assert bench.performer.performed == ["r:out", "r:out"]
    assert report.results["r:out"].trace.used == ("tools/gen.py",)
    bench.write("tools/gen.py", "y")
    assert bench.run().how == {"r:out": "executed"}
    assert bench.performer.performed == ["r:out"]


def test_a_job_with_a_depfile_is_repeated_with_the_tree(tmp_path):
    bench = Bench(tmp_path, [step("o", "m.c", candidates=("x.h",))], {"m.c": "1", "x.h": "", "deep/y.h": "", "z": ""})

    def script(order):
        if order.action.tree:
            return bench.performer.succeed(order, used=("deep/y.h",), probes=("y.h",))
        return fail(wanted=("y.h",))(order)

    bench.scripts["r:o"] = script
    bench.run()

    assert {i.path for i in bench.performer.orders[1].action.inputs} == {"m.c", "x.h", "deep/y.h", "z"}
    bench.write("z", "edited")
    assert bench.run().how == {}


def test_a_late_outcome_of_an_earlier_try_is_dropped(chain):
    def script(order):
        chain.performer.deliver(JobOutcome(order.job, order.attempt + 7, "failed", exit_code=9))
        return chain.performer.succeed(order)

    chain.scripts["r:mid"] = script

    assert not chain.run().failures


def test_wanted_names_match_by_their_end():
    sources = ["include/sub/x.h", "other/sub/x.h", "x.h", "y.h"]

    assert match_wanted(["sub/x.h"], sources) == ("include/sub/x.h", "other/sub/x.h")
    assert match_wanted(["./y.h"], sources) == ("y.h",)
    assert match_wanted(["nothing.h", ""], sources) == ()


def test_a_name_is_only_where_it_is_said_until_a_job_makes_another(tmp_path):
    graph = BuildGraph([step("gen/a.h", "in")], platform="linux")
    sources = {path: FileState(hashing.of_bytes(b""), 0) for path in ("in", "lib/b.h", "lib/c.h")}
    tree = RunTree(graph, Snapshot(sources, {}), None)

    assert tree.names_only(["b.h", "stdio.h"], {"lib/b.h"})
    assert not tree.names_only(["b.h", "c.h"], {"lib/b.h"})
    assert not tree.names_only(["a.h"], set())
    assert not tree.names_only(["*"], set(sources))

    undeclared = Output("other/b.h", hashing.of_bytes(b""), 0)
    tree.take("r:gen/a.h", ActionResult(key="k", outputs=(undeclared,)))

    assert not tree.names_only(["b.h"], {"lib/b.h"})


def test_a_job_that_lacks_what_a_later_layer_makes_has_it_made_before_its_layer_ends(tmp_path):
    recipes = [
        msgspec.structs.replace(one, loose=True) for one in (step("o", "m"), step("pre", "in"), step("gen.h", "pre"))
    ]
    bench = Bench(tmp_path, recipes, {"m": "1", "in": "1"})

    def script(order):
        if any(item.path == "gen.h" for item in order.action.inputs):
            return bench.performer.succeed(order)
        return fail(wanted=("gen.h",))(order)

    bench.scripts["r:o"] = script
    report = bench.run(options=Options(schedule="layers"))

    assert set(report.results) == {"r:o", "r:pre", "r:gen.h"}
    assert bench.performer.performed[-1] == "r:o"


def test_two_jobs_that_want_what_the_other_makes_fail_and_do_not_wait_for_each_other(tmp_path):
    recipes = [msgspec.structs.replace(step(name, "in"), loose=True) for name in ("one", "two")]
    bench = Bench(tmp_path, recipes, {"in": "1"})
    bench.scripts.update({"r:one": fail(wanted=("two",)), "r:two": fail(wanted=("one",))})
    report = bench.run()

    assert [failure.job for failure in report.failures] == ["r:two"]
    assert report.skipped == ("r:one",)
