"""Traps 53 and 55 to 57: rules that are edited, builds that fail or are stopped half-way."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace

from tests.traps.arena import Arena
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import Step, trap


@trap(53, only=("windrow",))
def rules_edited_without_effect(arena: Arena) -> None:
    """A comment in windrow.toml, another order of the rules: nothing runs."""
    two_steps(arena)
    toml = arena.project / "windrow.toml"

    toml.write_text("# A comment.\n" + toml.read_text().replace("[[rule]]", "\n\n[[rule]]  # here"))
    arena.right(runs=0)

    arena.rules(STRIP, SHOUT)
    head, *rules = toml.read_text().split("[[rule]]")
    toml.write_text("[[rule]]".join([head, *reversed(rules)]))
    arena.right(runs=0)


@trap(53)
def rule_renamed(arena: Arena) -> None:
    """A rule gets another name: nothing runs."""
    two_steps(arena)

    arena.rules(STRIP, replace(SHOUT, name="loud"))

    arena.right(runs=0)


@trap(53)
def rules_edited_while_a_build_runs(arena: Arena) -> None:
    """The build file is edited while a build runs."""
    gate = arena.gate()
    first = replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt")
    arena.put("in.txt", "alpha\n")
    arena.rules(first, SHOUT)
    gate.shut()
    running = arena.start()
    gate.await_step()

    arena.rules(first, replace(SHOUT, command="tr a-z N-ZA-M < mid.txt > final.txt"))
    gate.open()

    arena.end(running)
    arena.right(runs=1)


@trap(53, only=("windrow",))
def broken_rules(arena: Arena) -> None:
    """windrow.toml is broken for a while: an error that names the line, and no harm done."""
    two_steps(arena)
    toml = arena.project / "windrow.toml"
    good = toml.read_text()

    for bad, word in (
        ("[[rule]\n", "windrow.toml"),
        ('[[rule]]\nnmae = "x"\n', "nmae"),
        (good + "\x00", "windrow.toml"),
    ):
        toml.write_text(bad if bad.startswith("[project") else good + bad)
        arena.fails(word, code=2)
    toml.write_text(good)

    arena.right(runs=0)


_BAD = Step("bad", "test -e {ready} && cp in.txt bad.txt", ("bad.txt",), ("in.txt",))
_WORSE = Step("worse", "cp bad.txt worse.txt", ("worse.txt",), ("bad.txt",))


@trap(55)
def keep_going(arena: Arena) -> None:
    """A step fails with keep-going: what does not need it is made, and not made again."""
    ready = arena.outside / "ready"
    arena.put("in.txt", "alpha\n")
    arena.rules(replace(_BAD, command=_BAD.command.format(ready=ready)), _WORSE, STRIP, SHOUT)

    built = arena.build(keep_going=True)

    arena.judge_failure(built, "bad", code=1)
    arena.check(sorted(built.ran) == ["bad", "shout", "strip"], f"ran {built.ran}")
    there = (arena.project / "final.txt").exists() and arena.read("final.txt") == "ALPHA\n"
    arena.check(there, "final.txt was not made")
    if built.report:
        arena.check(built.report["skipped"] == 1, f"{built.report['skipped']} skipped, not 1")
        arena.check(built.report["revision"] is None, "a failed build was committed")
    ready.touch()
    arena.right(runs=2)


@trap(56)
def interrupted(arena: Arena) -> None:
    """Ctrl-C while a step has written half of its output."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(
        STRIP, replace(SHOUT, command=f"echo half > final.txt; {gate.command}; tr a-z A-Z < mid.txt > final.txt")
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    os.killpg(running.pid, signal.SIGINT)
    built = arena.end(running)
    arena.bury()

    arena.judge_failure(built, code=130)
    arena.right(runs=1)


@trap(56, only=("windrow", "windrow-ninja"))
def interrupted_while_the_step_does_not_listen(arena: Arena) -> None:
    """Ctrl-C, twice, while a step ignores signals: the build ends, and the step too."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    stubborn = f"trap '' INT TERM HUP; echo half > final.txt; {gate.command}; tr a-z A-Z < mid.txt > final.txt"
    arena.rules(STRIP, replace(SHOUT, command=stubborn))
    gate.shut()
    running = arena.start()
    gate.await_step()

    os.kill(running.pid, signal.SIGINT)
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGINT)
    built = arena.end(running)
    arena.bury()

    arena.judge_failure(built, code=130)
    arena.check("Traceback" not in built.output, built.output)
    arena.right(runs=1)


@trap(57)
def failed_build_loses_no_finished_work(arena: Arena) -> None:
    """A later step fails: nothing is committed, and the earlier one does not run again."""
    two_steps(arena)
    before = arena.revision() if arena.engine.name == "windrow" else 0
    arena.put("in.txt", "gamma\n")
    arena.rules(STRIP, replace(SHOUT, command="tr a-z A-Z < mid.txt; exit 7"))

    built = arena.fails(code=1)
    if built.report:
        arena.check(built.report["revision"] is None and arena.revision() == before, "a failed build was committed")
        arena.check(arena.read("mid.txt") == "alpha\n", "a failed build changed the tree")
    arena.rules(STRIP, SHOUT)

    arena.right(runs=1)
