"""Traps 30 to 32, 47 and 48: what rules declare, and steps that do otherwise."""

from __future__ import annotations

from dataclasses import replace

from tests.traps.arena import Arena
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import Step, Verdict, trap


@trap(30)
def rule_removed(arena: Arena) -> None:
    """A rule is removed: its output goes with it."""
    first = replace(STRIP, command="tr -d '#' < in.txt > mid.txt")
    two_steps(arena, first=first)

    arena.rules(first)

    arena.right(runs=0)
    arena.check(not (arena.project / "final.txt").exists(), "final.txt is still there", Verdict.STALE)


@trap(30)
def output_renamed(arena: Arena) -> None:
    """A rule's output gets another name: the old file goes."""
    two_steps(arena)

    arena.rules(STRIP, replace(SHOUT, command="tr a-z A-Z < mid.txt > loud.txt", outputs=("loud.txt",)))

    arena.right(runs=1)
    arena.check(not (arena.project / "final.txt").exists(), "final.txt is still there", Verdict.STALE)


@trap(30)
def rule_removed_whose_output_was_edited(arena: Arena) -> None:
    """A rule is removed whose output somebody has edited: the edit is not lost."""
    two_steps(arena)

    arena.put("final.txt", "mine\n")
    arena.rules(STRIP)

    arena.build()
    kept = (arena.project / "final.txt").exists() and arena.read("final.txt") == "mine\n"
    arena.check(kept, "the edit is lost")


@trap(31)
def two_rules_make_one_output(arena: Arena) -> None:
    """Two rules make one output: an error that names both, before anything runs."""
    arena.put("in.txt", "alpha\n")
    arena.rules(STRIP, SHOUT, Step("again", "cp in.txt final.txt", ("final.txt",), ("in.txt",)))

    built = arena.fails("final.txt", code=2)

    arena.check(not built.ran, f"ran {built.ran} all the same")


@trap(32)
def declared_output_never_written(arena: Arena) -> None:
    """A declared output is never written: an error that names it."""
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("lazy", "cat in.txt > /dev/null", ("final.txt",), ("in.txt",)))

    arena.fails("final.txt", code=1)


@trap(32, only=("windrow", "windrow-ninja"))
def folder_made_for_an_output(arena: Arena) -> None:
    """A step makes a folder where it declares a file: an error that names it."""
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("folder", "mkdir final.txt; cp in.txt final.txt/", ("final.txt",), ("in.txt",)))

    arena.fails("final.txt", code=1)


@trap(47, only=("windrow",))
def step_that_is_not_deterministic(arena: Arena) -> None:
    """A step makes other bytes each time: --no-cache tells."""
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("roll", "od -An -N16 -tx1 /dev/urandom > final.txt", ("final.txt",), ("in.txt",)), SHOUT_LAST)
    arena.check(arena.build().code == 0, "does not build")
    first = arena.read("final.txt")
    arena.check(not arena.build().ran and arena.read("final.txt") == first, "the first result does not stand")

    again = arena.windrow("build", "--json", "--no-cache")

    arena.check(again.code == 0, again.output)
    arena.check(len(again.ran) == 2, f"ran {again.ran} only")
    arena.check("deterministic" in again.output and "final.txt" in again.output, f"says nothing:\n{again.output}")
    arena.check(not arena.build().ran, "what it made is not what counts now")


SHOUT_LAST = Step("shout", "tr a-z A-Z < final.txt > loud.txt", ("loud.txt",), ("final.txt",))


@trap(48)
def step_reads_its_own_old_output(arena: Arena) -> None:
    """A step adds to the output of its last run."""
    command = "(cat final.txt 2> /dev/null; cat in.txt) > $$.tmp; mv $$.tmp final.txt"
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("append", command, ("final.txt",), ("in.txt",)))
    arena.right(runs=1)

    arena.put("in.txt", "gamma\n")

    arena.right(runs=1)


@trap(48)
def step_writes_what_it_does_not_declare(arena: Arena) -> None:
    """A step also writes a file it does not declare: an error that names it."""
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("messy", "cp in.txt final.txt; echo more > aside.txt", ("final.txt",), ("in.txt",)))

    arena.fails("aside.txt", code=1)

    arena.check(not (arena.project / "aside.txt").exists(), "aside.txt is in the project", Verdict.STALE)


@trap(48)
def step_changes_its_input(arena: Arena) -> None:
    """A step changes the source it reads: neither the source nor another step sees it."""
    arena.put("in.txt", "alpha\n")
    rude = Step("rude", "cp in.txt final.txt; chmod u+w in.txt; echo more >> in.txt", ("final.txt",), ("in.txt",))
    late = Step("late", "cat in.txt final.txt > last.txt", ("last.txt",), ("in.txt", "final.txt"))
    arena.rules(rude, late)

    arena.build()
    built = arena.build()

    arena.check(arena.read("in.txt") == "alpha\n", "in.txt was changed", Verdict.STALE)
    if built.code != 0:
        # To refuse such a step will do as well.
        arena.judge_failure(built, "in.txt", code=1)
        return
    arena.check(arena.read("last.txt") == "alpha\nalpha\n", "another step saw it", Verdict.STALE)


@trap(48)
def step_writes_a_siblings_output(arena: Arena) -> None:
    """A step overwrites the output of another."""
    arena.put("in.txt", "alpha\n")
    rude = Step("rude", "cp in.txt final.txt; echo mine > mid.txt", ("final.txt",), ("in.txt", "mid.txt"))
    arena.rules(STRIP, rude)

    arena.build()
    arena.build()

    arena.check(arena.read("mid.txt") in ("alpha\n", ""), "mid.txt is not what its own step made", Verdict.STALE)


@trap(48)
def one_output_under_two_spellings(arena: Arena) -> None:
    """Two rules name one output by two spellings: an error."""
    arena.put("in.txt", "alpha\n")
    (arena.project / "sub").mkdir()
    arena.rules(
        Step("one", "cp in.txt sub/final.txt", ("sub/final.txt",), ("in.txt",)),
        Step("two", "echo two > sub/./final.txt", ("sub/./final.txt",), ("in.txt",)),
    )

    arena.fails("final.txt", code=2)


@trap(48, only=("windrow", "windrow-ninja"))
def output_outside_the_project(arena: Arena) -> None:
    """An output lies outside the project: an error."""
    arena.put("in.txt", "alpha\n")

    for path in ("../final.txt", str(arena.outside / "final.txt"), "sub/../../final.txt"):
        arena.rules(Step("escape", f"cp in.txt {path}", (path,), ("in.txt",)))
        built = arena.fails("final.txt", code=2)
        arena.check(not built.ran, "ran it all the same")


@trap(48, only=("windrow", "windrow-ninja"))
def output_in_the_place_of_a_source(arena: Arena) -> None:
    """A rule is to overwrite a source that was there before: an error, and the source stays."""
    two_steps(arena)
    arena.put("notes.txt", "precious\n")
    arena.right(runs=0)

    arena.rules(STRIP, SHOUT, Step("notes", "cp in.txt notes.txt", ("notes.txt",), ("in.txt",)))

    arena.fails("notes.txt", code=2)
    arena.check(arena.read("notes.txt") == "precious\n", "the source is gone")
