"""Traps 50 to 52, 58 and 59: sources, clocks and trees that change behind a build's back."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from tests.traps.arena import DAY, PATIENCE, Arena
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import trap


@trap(50)
def source_edited_before_its_step_starts(arena: Arena) -> None:
    """A source is edited after the build began, before the step that reads it."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.put("extra.txt", "extra\n")
    arena.rules(
        replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"),
        replace(SHOUT, command="cat mid.txt extra.txt > final.txt", inputs=("mid.txt", "extra.txt")),
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    arena.put("extra.txt", "EXTRA\n")
    gate.open()

    built = arena.end(running)
    if arena.engine.name == "windrow-ninja" and arena.read("final.txt") == "alpha\nextra\n":
        # The first step was given the whole tree before the edit: so this was a build of the tree as it was then.
        arena.check(built.code == 0, built.output)
        arena.right(runs=1)
    else:
        arena.judge(built, runs=2)
    arena.right(runs=0)


@trap(50, only=("windrow", "windrow-ninja"))
def source_deleted_before_its_step_starts(arena: Arena) -> None:
    """A source is deleted after the build began, before the step that reads it."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.put("extra.txt", "extra\n")
    arena.rules(
        replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"),
        replace(SHOUT, command="cat mid.txt extra.txt > final.txt", inputs=("mid.txt", "extra.txt")),
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    arena.remove("extra.txt")
    gate.open()

    built = arena.end(running)
    if arena.engine.name == "windrow-ninja" and built.code == 0:
        # The first step was given the whole tree before that: so this was a build of the tree as it was then.
        arena.fails("extra.txt", code=2)
        arena.put("extra.txt", "extra\n")
        arena.right(runs=0)
        return
    arena.judge_failure(built, "extra.txt", code=2)
    arena.put("extra.txt", "extra\n")
    arena.right(runs=1)


@trap(51)
def outputs_from_a_clock_that_is_ahead(arena: Arena) -> None:
    """Outputs were written by a machine whose clock is a day ahead; then a source is edited."""
    two_steps(arena)
    _skew(arena, DAY)
    arena.right(runs=0)

    arena.put("in.txt", "gamma\n")

    arena.right(runs=2)


@trap(51)
def outputs_from_a_clock_that_is_behind(arena: Arena) -> None:
    """Outputs and the engine's files were written by a machine whose clock is a day behind: no work."""
    two_steps(arena)

    _skew(arena, -DAY)

    arena.right(runs=0)


def _skew(arena: Arena, by_ns: int) -> None:
    outputs = [arena.project / path for step in arena.steps for path in step.outputs]
    for path in (*outputs, *arena.engine.state_files(arena.root)):
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + by_ns))


def _git(arena: Arena, *words: str) -> None:
    who = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "init.defaultBranch=one",
        "-c",
        "advice.detachedHead=false",
    ]
    env = {"PATH": os.environ["PATH"], "HOME": str(arena.root / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *who, *words], cwd=arena.project, env=env, check=True, capture_output=True, timeout=PATIENCE)


def _git_project(arena: Arena) -> None:
    """Branches `one` and `two` with other contents; both built; `one` checked out."""
    arena.put(".gitignore", "/mid.txt\n/final.txt\n.ninja*\n.windrow/\n")
    arena.put("in.txt", "alpha\n")
    arena.rules(STRIP, SHOUT)
    _git(arena, "init")
    _git(arena, "add", "-A")
    _git(arena, "commit", "-m", "one")
    _git(arena, "checkout", "-b", "two")
    arena.put("in.txt", "gamma\n")
    _git(arena, "commit", "-am", "two")
    arena.right(runs=2)
    _git(arena, "checkout", "one")
    arena.right(runs=2)


@trap(52)
def git_checkout_back_and_forth(arena: Arena) -> None:
    """Another branch is checked out, and the first again: nothing runs."""
    _git_project(arena)

    for branch in ("two", "one"):
        _git(arena, "checkout", branch)
        arena.right(runs=0)


@trap(52)
def git_stash_and_pop(arena: Arena) -> None:
    """An edit is stashed and popped: nothing runs that ran before."""
    _git_project(arena)
    arena.put("in.txt", "delta\n")
    arena.right(runs=2)

    _git(arena, "stash")
    arena.right(runs=0)

    _git(arena, "stash", "pop")
    arena.right(runs=0)


@trap(52)
def git_clean(arena: Arena) -> None:
    """git clean -fdx: everything that is not committed goes."""
    _git_project(arena)

    _git(arena, "clean", "-fdx")

    arena.right(runs=0, cacheless=2)


@trap(52, only=("windrow", "windrow-ninja"))
def git_worktree(arena: Arena) -> None:
    """A second worktree of the project: what the first built is found."""
    _git_project(arena)
    _git(arena, "worktree", "add", str(arena.root / "second"), "two")
    first, arena.project = arena.project, arena.root / "second"
    arena.right(runs=0)

    arena.project = first

    arena.right(runs=0)


@trap(58)
def tree_restored_by_copy(arena: Arena) -> None:
    """The tree is restored by a copy: other inodes and times everywhere, no work."""
    arena.put("z-in.txt", "alpha\n")
    first = replace(STRIP, command="sed /^#/d z-in.txt > mid.txt", inputs=("z-in.txt",))
    arena.rules(first, SHOUT)
    arena.right(runs=2)

    copy = arena.root / "copy"
    _copy_in_order(arena.project, copy)
    shutil.rmtree(arena.project)
    copy.rename(arena.project)

    arena.right(runs=0)
    arena.put("z-in.txt", "gamma\n")
    arena.right(runs=2)


@trap(58)
def tree_moved(arena: Arena) -> None:
    """The tree is moved to another folder: no work."""
    two_steps(arena)

    arena.project = arena.project.rename(arena.root / "elsewhere")

    arena.right(runs=0)


def _copy_in_order(source: Path, target: Path) -> None:
    """Copy without times, folders first, then files by name."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _copy_in_order(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


@trap(59)
def mtimes_before_1970_and_far_ahead(arena: Arena) -> None:
    """mtimes before 1970, after 2038 and 2106, and a nanosecond apart."""
    two_steps(arena, text="edit 0\n")

    times = (-1, -DAY * 365 * 20, 2**31 * 10**9 + 1, 2**32 * 10**9 + 1, 2**33 * 10**9 + 1, 10**18 + 1, 10**18 + 2, 0)
    for number, mtime in enumerate(times, 1):
        path = arena.put("in.txt", f"edit {number}\n")
        os.utime(path, ns=(mtime, mtime))
        arena.right(runs=2)
    arena.right(runs=0)
