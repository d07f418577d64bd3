"""What is rebuilt, what is preserved, in which order, and what a result records (up to S1-53)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from coordinator import build as building
from coordinator.request import Request
from shared import hashing
from tests.console import powerless
from tests.scenarios.todo.copies import ALL, CopyProject
from tests.scenarios.todo_project import TodoProject


def test_everything_can_still_be_rebuilt(todo: TodoProject) -> None:
    """S1-34: as an explicit mode; --full alone takes what fits from the cache (S1-67)."""
    full = todo.build(full=True)
    again = todo.build(full=True, no_cache=True)

    assert (full.planned, full.executed) == (ALL, 0)
    assert (again.planned, again.executed) == (ALL, ALL)


def test_the_plan_tells_what_is_rebuilt_what_is_preserved_and_how_long_it_takes(copies: CopyProject) -> None:
    """S1-35: BuildPlan{files_to_rebuild, files_to_preserve, estimated_time}, at the command line."""
    copies.write("src/a.txt", "other\n")

    plan = copies.console.run("plan", "--json").json()

    assert [job["outputs"] for layer in plan["layers"] for job in layer] == [["out/a"]]
    assert plan["preserved"] == [f"copy:out/{name}" for name in "bcde"]
    assert plan["estimated_seconds"] > 0


def test_what_is_preserved_is_counted_and_the_rest_rebuilt(copies: CopyProject) -> None:
    """S1-36."""
    copies.write("src/a.txt", "other\n")

    said = copies.console.run("build")

    assert "1 to run in 1 layer · 4 unchanged" in said.err
    assert copies.read("out/a") == "one==1\nother\n"


@pytest.mark.parametrize("change", ["modified", "added", "deleted"])
def test_dependents_are_affected_however_far_away(todo: TodoProject, change: str) -> None:
    """S1-37, C18, C19: through two steps, and by a file that goes or comes as well."""
    dependents = {"mid02", "mid07", "mid12", "leaf02", "leaf07", "leaf12", "leaf17", "leaf22", "leaf27"}
    if change == "modified":
        todo.edit("src/core2.mod")
        dependents |= {"core2"}
    elif change == "deleted":
        todo.delete("src/core2.mod")
    else:
        # It is found before the other from now on.
        todo.write("first/core2.mod", "another\n")

    plan = building.look(todo.project(), Request()).plan

    assert {Path(job).stem for job in plan.jobs if job.startswith("check:")} == dependents


def test_preserved_outputs_keep_inode_and_mtime(copies: CopyProject) -> None:
    """S1-40, W2-16: what nobody had to rebuild is not written again."""
    before = {name: (copies.root / "out" / name).stat() for name in "abcde"}
    copies.write("src/a.txt", "other\n")

    copies.build()

    after = {name: (copies.root / "out" / name).stat() for name in "abcde"}
    same = {n for n in "abcde" if (before[n].st_ino, before[n].st_mtime_ns) == (after[n].st_ino, after[n].st_mtime_ns)}
    assert same == set("bcde")


def test_an_output_that_comes_out_equal_keeps_inode_and_mtime_too(copies: CopyProject) -> None:
    """S1-40: the job ran, and nothing came of it."""
    copies.write("windrow.toml", copies.read("windrow.toml").replace("cat requirements", "cat  requirements"))
    before = (copies.root / "out/a").stat()

    report = copies.build()

    after = (copies.root / "out/a").stat()
    assert (report.executed, report.outputs_written) == (5, 0)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_jobs_run_after_those_they_need(todo: TodoProject) -> None:
    """U10: dependencies first; and planning, test files included, comes before anything runs (S1-53)."""
    text = todo.read("windrow.toml")
    todo.write(
        "windrow.toml",
        text
        + '\n[[rule]]\nname = "all"\ninputs = ["rule:check"]\ncommand = ["toy-cat", "{in}"]\noutputs = ["out/all"]\n',
    )
    todo.edit("src/core2.mod")

    todo.build()

    what = [how for how, _ in todo.observer.order]
    ran = [job for how, job in todo.observer.order if how == "executed"]
    assert what[0] == "planned"
    assert ran.index("all:out/all") > max(ran.index(job) for job in ran if job.startswith("check:"))


def test_a_result_that_cannot_be_kept_changes_nothing_but_the_next_build(copies: CopyProject) -> None:
    """S1-48, W2-13: a warning that names the place, and the same outcome."""
    shutil.rmtree(copies.cache / "store/results")
    (copies.cache / "store/results").mkdir(mode=0o555)
    copies.write("src/a.txt", "other\n")

    said = copies.console.run("build", before=powerless())

    assert said.code == 0
    assert "warning: copy:out/a: its result is not kept for later builds" in said.err
    assert str(copies.cache / "store/results") in said.err
    assert copies.read("out/a") == "one==1\nother\n"
    assert copies.manifest().revision == 2


def test_what_a_result_records(copies: CopyProject) -> None:
    """S1-50 in the spine's words: exit code 0 by being there, its outputs, the time it took, who ran it."""
    job = copies.manifest().jobs["copy:out/a"]

    hit = copies.project().stores.results.get(job.key)

    assert hit is not None
    assert [(made.path, made.hash) for made in hit.result.outputs] == [("out/a", hashing.of_bytes(b"one==1\na\n"))]
    assert hit.result.timings.run == job.seconds > 0
    assert hit.result.worker == "here"


def test_a_failure_is_never_taken_from_the_cache(copies: CopyProject) -> None:
    """W2-13: neither is it forgotten; the plan says that it failed before."""
    text = copies.read("windrow.toml")
    copies.write("windrow.toml", text.replace('command = "', 'command = "grep -v broken {in} > /dev/null && '))
    copies.write("src/a.txt", "broken\n")
    first = copies.build(failures=0)

    second = copies.build(failures=0)
    why = copies.console.run("why", "out/a")

    assert (first.failed, second.failed, second.executed, second.reused) == (1, 1, 0, {"local": 4})
    assert f"failed in build {second.build}" in why.out
