"""Traps 1 to 24: files and commands that change, two steps in a row."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from tests.traps.arena import DAY, Arena, Gate, tree
from tests.traps.engines import Windrow
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import Verdict, trap


@trap(1)
def nothing_to_do(arena: Arena) -> None:
    """Nothing changed: nothing runs."""
    two_steps(arena)

    arena.right(runs=0)
    before = tree(arena.root)
    arena.right(runs=0)

    after = tree(arena.root)
    if isinstance(arena.engine, Windrow):
        # What is written anew by the judge is not the engine's doing.
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        written = sorted(path for path in changed if "/clean" not in path)
        arena.check(not written, f"a build with nothing to do wrote {written}", Verdict.NEEDLESS)


@trap(2)
def edit(arena: Arena) -> None:
    """A source is edited."""
    two_steps(arena)

    arena.put("in.txt", "alpha beta\n")

    arena.right(runs=2)


@trap(3)
def same_size_edit_with_restored_mtime(arena: Arena) -> None:
    """Edited in place, same size, mtime put back."""
    two_steps(arena, text="alpha\n")

    arena.put("in.txt", "gamma\n", keep_times=True)

    arena.right(runs=2)


@trap(4)
def other_size_with_restored_mtime(arena: Arena) -> None:
    """Edited in place, another size, mtime put back."""
    two_steps(arena, text="alpha\n")

    arena.put("in.txt", "alpha and more\n", keep_times=True)

    arena.right(runs=2)


@trap(5)
def replaced_by_rename_with_same_mtime_and_size(arena: Arena) -> None:
    """Another file renamed into place, same mtime and size."""
    two_steps(arena, text="alpha\n")

    arena.replace("in.txt", "gamma\n")

    arena.right(runs=2)


@trap(6)
def new_content_with_an_older_mtime(arena: Arena) -> None:
    """New content with an older mtime, as from a backup."""
    two_steps(arena, text="alpha\n")

    arena.put("in.txt", "gamma\n", keep_times=True)
    arena.age("in.txt", -DAY)

    arena.right(runs=2)


@trap(7)
def touch_only(arena: Arena) -> None:
    """A source is touched: no work."""
    two_steps(arena)

    os.utime(arena.project / "in.txt")

    arena.right(runs=0)


@trap(8)
def change_that_leaves_the_middle_as_it_was(arena: Arena) -> None:
    """A change the first step drops: the second does not run."""
    two_steps(arena, text="# one\nalpha\n")

    arena.put("in.txt", "# another\nalpha\n")

    arena.right(runs=1)


@trap(9)
def all_outputs_deleted(arena: Arena) -> None:
    """All outputs are deleted."""
    two_steps(arena)

    arena.remove("mid.txt", "final.txt")

    arena.right(runs=0, cacheless=2)


@trap(10)
def intermediate_deleted(arena: Arena) -> None:
    """The file in the middle is deleted."""
    two_steps(arena)

    arena.remove("mid.txt")

    arena.right(runs=0, cacheless=2)


@trap(11)
def final_output_overwritten(arena: Arena) -> None:
    """The last output is overwritten by hand."""
    two_steps(arena)

    arena.put("final.txt", "garbage\n")

    arena.right(runs=0, cacheless=1)


@trap(11)
def folder_in_the_place_of_an_output(arena: Arena) -> None:
    """A folder with somebody's files stands where an output was: made right, or an error that names it."""
    two_steps(arena)
    arena.remove("final.txt")

    arena.put("final.txt/precious", "mine\n")
    built = arena.build()

    kept = (arena.project / "final.txt").is_dir() and arena.read("final.txt/precious") == "mine\n"
    if built.code == 0:
        arena.check(not kept, "called final.txt up to date, and it is a folder", Verdict.STALE)
        arena.check(kept, "threw away what was in the folder")
        return
    arena.judge_failure(built, "final.txt")
    arena.check(kept, "threw away what was in the folder")
    arena.remove("final.txt/precious")
    (arena.project / "final.txt").rmdir()
    arena.right(runs=0, cacheless=1)


@trap(11)
def link_in_the_place_of_an_output(arena: Arena) -> None:
    """An output was replaced by a link to a file elsewhere: that file is not written to."""
    two_steps(arena)
    elsewhere = arena.outside / "elsewhere"
    elsewhere.write_text("mine\n")
    arena.remove("final.txt")
    (arena.project / "final.txt").symlink_to(elsewhere)

    arena.put("in.txt", "gamma\n")

    arena.right(runs=2)
    arena.check(elsewhere.read_text() == "mine\n", "wrote through the link", Verdict.STALE)


@trap(12)
def intermediate_overwritten(arena: Arena) -> None:
    """The file in the middle is overwritten by hand."""
    two_steps(arena)

    arena.put("mid.txt", "garbage\n")

    arena.right(runs=0, cacheless=2)


@trap(12)
def intermediate_overwritten_and_source_edited(arena: Arena) -> None:
    """The file in the middle is overwritten, and the source edited so that it does not count."""
    two_steps(arena, text="# one\nalpha\n")

    arena.put("in.txt", "# another\nalpha\n")
    arena.put("mid.txt", "garbage\n")

    arena.right(runs=1, cacheless=2)


@trap(13)
def output_altered_with_same_mtime_and_size(arena: Arena) -> None:
    """An output is altered, its mtime and size kept."""
    two_steps(arena, text="alpha\n")

    arena.put("final.txt", "WRONG\n", keep_times=True)

    arena.right(runs=0, cacheless=1)


@trap(14)
def command_changed(arena: Arena) -> None:
    """A command line changes."""
    two_steps(arena)

    arena.rules(STRIP, replace(SHOUT, command="tr a-z N-ZA-M < mid.txt > final.txt"))

    arena.right(runs=1)


@trap(15)
def environment_variable_changed(arena: Arena) -> None:
    """An environment variable the command uses changes."""
    arena.env["FLAVOUR"] = "sweet"
    flavoured = replace(SHOUT, command='(cat mid.txt; echo "$FLAVOUR") > final.txt', pass_env=("FLAVOUR",))
    two_steps(arena, second=flavoured)

    arena.env["FLAVOUR"] = "salty"

    arena.right(runs=1)


@trap(16)
def undeclared_script_changed(arena: Arena) -> None:
    """A script the command runs changes, and no rule names it as an input."""
    arena.put("tool.sh", "tr a-z A-Z\n")
    two_steps(arena, second=replace(SHOUT, command="sh tool.sh < mid.txt > final.txt"))

    arena.put("tool.sh", "tr a-z N-ZA-M\n")

    arena.right(runs=1)


@trap(17)
def step_writes_its_output_then_fails(arena: Arena) -> None:
    """A step writes its output and fails: it runs again."""
    ready = arena.outside / "ready"
    command = f"echo garbage > final.txt; test -e {ready} || exit 1; tr a-z A-Z < mid.txt > final.txt"
    arena.put("in.txt", "alpha\n")
    arena.rules(STRIP, replace(SHOUT, command=command))
    arena.fails(code=1)

    ready.touch()

    arena.right(runs=1)


@trap(18)
def input_edited_while_a_step_runs(arena: Arena) -> None:
    """A source is edited while a step reads it."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(
        replace(STRIP, command=f"cat in.txt > mid.txt; {gate.command}; sed /^#/d in.txt >> mid.txt"),
        SHOUT,
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    arena.put("in.txt", "gamma\n")
    gate.open()

    arena.end(running)
    arena.right(runs=2)
    arena.right(runs=0)


@trap(18)
def input_edited_and_put_back_while_a_step_runs(arena: Arena) -> None:
    """A source is edited while a step reads it, and put back before it ends."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    first = f"{gate.command}; sed /^#/d in.txt > mid.txt; {gate.command.replace('gate', 'second')}"
    arena.rules(replace(STRIP, command=first), SHOUT)
    gate.shut()
    second = Gate(arena.outside / "second")
    second.shut()
    running = arena.start()
    gate.await_step()

    arena.put("in.txt", "gamma\n", keep_times=True)
    gate.open()
    second.await_step()
    arena.put("in.txt", "alpha\n", keep_times=True)
    second.open()

    arena.end(running)
    arena.right()


@trap(19)
def future_mtime_then_edit(arena: Arena) -> None:
    """A source's mtime lies in the future; then it is edited."""
    arena.put("in.txt", "alpha\n")
    arena.age("in.txt", 365 * DAY)
    arena.rules(STRIP, SHOUT)
    arena.right(runs=2)

    arena.right(runs=0)
    arena.put("in.txt", "gamma\n")

    arena.right(runs=2)


@trap(20)
def killed_in_the_middle_of_a_step(arena: Arena) -> None:
    """SIGKILL while a step has written half of its output."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(
        STRIP, replace(SHOUT, command=f"echo half > final.txt; {gate.command}; tr a-z A-Z < mid.txt > final.txt")
    )
    gate.shut()
    running = arena.start()
    gate.await_step()

    os.killpg(running.pid, signal.SIGKILL)
    arena.end(running)
    arena.bury()

    arena.right(runs=1)
    arena.right(runs=0)


@trap(21)
def there_and_back_again(arena: Arena) -> None:
    """Edited and changed back: the first result is found again."""
    two_steps(arena, text="alpha\n")
    arena.put("in.txt", "gamma\n")
    arena.right(runs=2)

    arena.put("in.txt", "alpha\n")

    arena.right(runs=0)


@trap(22)
def symlink_points_elsewhere(arena: Arena) -> None:
    """A symlinked source points to another file of the same mtime and size."""
    for name, text in (("one.txt", "alpha\n"), ("two.txt", "gamma\n")):
        os.utime(arena.put(name, text), ns=(10**18, 10**18))
    link = arena.project / "in.txt"
    link.symlink_to("one.txt")
    arena.rules(STRIP, SHOUT)
    arena.right(runs=2)

    link.unlink()
    link.symlink_to("two.txt")

    arena.right(runs=2)


@trap(23)
def source_deleted(arena: Arena) -> None:
    """A source is deleted: an error that names it."""
    two_steps(arena)

    arena.remove("in.txt")

    arena.fails("in.txt", code=2)


@trap(24)
def five_edits_each_straight_after_a_build(arena: Arena) -> None:
    """Five edits of one size, each straight after a build."""
    two_steps(arena, text="edit 0\n")

    for number in range(1, 6):
        arena.put("in.txt", f"edit {number}\n")
        arena.right(runs=2)


@trap(24)
def edit_straight_after_the_scan_of_a_build(arena: Arena) -> None:
    """An edit of the same size right after a build that had nothing to do."""
    two_steps(arena, text="alpha\n")
    arena.right(runs=0)

    arena.put("in.txt", "gamma\n", keep_times=True)

    arena.right(runs=2)
