"""Traps 39 to 42 and 60: what the tree may hold, and how it may change."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

from tests.traps.arena import Arena
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import Step, Verdict, trap

JOIN = Step("join", "cat parts/*.txt > mid.txt", ("mid.txt",), ("parts/*.txt",))


@trap(39, only=("windrow", "windrow-ninja"))
def file_name_that_is_not_utf_8(arena: Arena) -> None:
    """A file's name is not UTF-8: an error that names it, not a crash."""
    two_steps(arena)
    folder = os.fsencode(arena.project)

    with open(folder + b"/caf\xe9.txt", "wb") as file:
        file.write(b"alpha\n")
    built = arena.build()

    # A file that no rule reads may be passed over with a warning; silence would be a lie.
    arena.check("caf" in built.output, f"says nothing about the file:\n{built.output}")
    arena.check(built.code in (0, 2, 36), f"exit code {built.code}:\n{built.output}")
    os.unlink(folder + b"/caf\xe9.txt")
    arena.right(runs=0)


@trap(39)
def names_that_differ_in_unicode_form_or_case_only(arena: Arena) -> None:
    """Names that differ in case, or in Unicode form only, are different files."""
    names = ("caf\u00e9.txt", "cafe\u0301.txt", "CAF\u00c9.txt")
    for number, name in enumerate(names):
        arena.put(name, f"{number}\n")
    arena.rules(Step("join", f"cat {' '.join(names)} > mid.txt", ("mid.txt",), names), SHOUT)
    arena.right(runs=2)

    for name in names:
        arena.put(name, "changed\n")
        arena.right(runs=2)


@trap(40)
def file_behind_a_symlinked_folder(arena: Arena) -> None:
    """A source lies behind a symlinked folder; it is edited, then the link is turned."""
    arena.put("real/in.txt", "alpha\n")
    arena.put("other/in.txt", "gamma\n")
    (arena.project / "link").symlink_to("real")
    arena.rules(replace(STRIP, command="sed /^#/d link/in.txt > mid.txt", inputs=("link/in.txt",)), SHOUT)
    arena.right(runs=2)

    arena.put("real/in.txt", "ALPHA beta\n")
    arena.right(runs=2)

    (arena.project / "link").unlink()
    (arena.project / "link").symlink_to("other")
    arena.right(runs=2)


@trap(40)
def symlink_loops_and_dangling_links(arena: Arena) -> None:
    """Links that lead in circles or nowhere lie about: they do no harm."""
    (arena.project / "parts").mkdir()
    (arena.project / "parts" / "up").symlink_to("..")
    (arena.project / "loop").symlink_to("loop")
    (arena.project / "self").symlink_to(".")
    (arena.project / "nowhere").symlink_to("not/there")

    two_steps(arena)

    arena.right(runs=0)


@trap(40)
def dangling_link_as_input(arena: Arena) -> None:
    """A source is a link to nothing: an error that names it; then its target appears."""
    (arena.project / "in.txt").symlink_to("target.txt")
    arena.rules(STRIP, SHOUT)
    arena.fails("in.txt")

    arena.put("target.txt", "alpha\n")

    arena.right(runs=2)


@trap(40, only=("windrow", "windrow-ninja"))
def source_linked_from_outside(arena: Arena) -> None:
    """A source is a link to a file outside of the project: an error that says so."""
    (arena.outside / "in.txt").write_text("alpha\n")
    (arena.project / "in.txt").symlink_to(arena.outside / "in.txt")
    arena.rules(STRIP, SHOUT)

    arena.fails("in.txt", "out of the tree", code=2)


@trap(40)
def pipe_in_the_tree(arena: Arena) -> None:
    """A named pipe lies about in the project: nobody hangs on it."""
    os.mkfifo(arena.project / "pipe")

    two_steps(arena)

    arena.right(runs=0)


@trap(40)
def folder_turned_into_a_file(arena: Arena) -> None:
    """A folder of sources becomes a file, and then a folder again."""
    arena.put("parts/1.txt", "one\n")
    arena.put("in.txt", "alpha\n")
    arena.rules(STRIP, SHOUT)
    arena.right(runs=2)

    arena.remove("parts/1.txt")
    (arena.project / "parts").rmdir()
    arena.put("parts", "a file\n")
    arena.right(runs=0)

    arena.remove("parts")
    arena.put("parts/1.txt", "one\n")
    arena.put("in.txt", "gamma\n")
    arena.right(runs=2)


@trap(40, only=("windrow", "windrow-ninja"))
def output_that_is_a_symlink(arena: Arena) -> None:
    """A step makes a link for its output: an error, for what it leads to is not its own."""
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("link", "ln -s in.txt final.txt", ("final.txt",), ("in.txt",)))

    arena.fails("final.txt", "symlink", code=1)


@trap(40, only=("windrow", "windrow-ninja"))
def output_behind_a_link_out_of_the_tree(arena: Arena) -> None:
    """An output would be written through a link that leads out of the project."""
    arena.put("in.txt", "alpha\n")
    (arena.project / "out").symlink_to(arena.outside)
    arena.rules(Step("escape", "cp in.txt out/final.txt", ("out/final.txt",), ("in.txt",)))

    arena.fails("out", code=2)

    arena.check(not (arena.outside / "final.txt").exists(), "it was written there")


@trap(41)
def file_added_and_removed_under_a_glob(arena: Arena) -> None:
    """A file is added to, then removed from, what a glob finds."""
    arena.put("parts/1.txt", "one\n")
    arena.put("parts/2.txt", "two\n")
    arena.rules(JOIN, SHOUT)
    arena.right(runs=2)

    arena.put("parts/3.txt", "three\n")
    arena.right(runs=2)

    arena.remove("parts/3.txt", "parts/1.txt")
    arena.right(runs=2)


@trap(41)
def older_file_added_under_a_glob(arena: Arena) -> None:
    """A file older than the outputs is moved to where a glob finds it."""
    arena.put("parts/1.txt", "one\n")
    arena.put("shelf/2.txt", "two\n")
    arena.rules(JOIN, SHOUT)
    arena.right(runs=2)

    (arena.project / "shelf/2.txt").rename(arena.project / "parts/2.txt")

    arena.right(runs=2)


@trap(41)
def empty_folder_appears_and_goes(arena: Arena) -> None:
    """Empty folders come and go: no work."""
    two_steps(arena)

    (arena.project / "empty" / "deeper").mkdir(parents=True)
    arena.right(runs=0)

    (arena.project / "empty" / "deeper").rmdir()
    arena.right(runs=0)


@trap(42)
def executable_bit_changed(arena: Arena) -> None:
    """Only a source's executable bit changes, and the step looks at it."""
    tool = arena.put("tool", "#!/bin/sh\n")
    tell = Step(
        "tell", "if test -x tool; then echo can run; else echo cannot; fi > final.txt", ("final.txt",), ("tool",)
    )
    arena.rules(tell)
    arena.right(runs=1)

    tool.chmod(0o755)
    arena.right(runs=1)

    tool.chmod(0o644)
    arena.right(runs=0, cacheless=1)


@trap(42)
def executable_bit_of_an_output(arena: Arena) -> None:
    """An output is a program; the step after it runs it."""
    arena.put("in.txt", "echo alpha\n")
    make = Step("make", "(echo '#!/bin/sh'; cat in.txt) > tool; chmod +x tool", ("tool",), ("in.txt",))
    arena.rules(make, Step("use", "./tool > final.txt", ("final.txt",), ("tool",)))
    arena.right(runs=2)

    (arena.project / "tool").chmod(0o644)
    arena.right(runs=0)

    mode = (arena.project / "tool").stat().st_mode
    arena.check(bool(mode & stat.S_IXUSR), "the program cannot be run any more", Verdict.STALE)


@trap(42)
def hard_link_made(arena: Arena) -> None:
    """A hard link to a source is made: its ctime changes, and nothing else."""
    two_steps(arena)

    os.link(arena.project / "in.txt", arena.outside / "link")

    arena.right(runs=0)


@trap(42)
def edited_through_a_hard_link(arena: Arena) -> None:
    """A source is edited through a hard link elsewhere, size and mtime kept."""
    two_steps(arena, text="alpha\n")
    os.link(arena.project / "in.txt", arena.outside / "link")
    before = (arena.outside / "link").stat()

    (arena.outside / "link").write_text("gamma\n")
    os.utime(arena.outside / "link", ns=(before.st_atime_ns, before.st_mtime_ns))

    arena.right(runs=2)


@trap(60)
def empty_outputs(arena: Arena) -> None:
    """Every output is empty; then not; then again."""
    two_steps(arena, text="# nothing\n")

    arena.right(runs=0)
    arena.put("in.txt", "alpha\n")
    arena.right(runs=2)

    arena.put("in.txt", "# something else\n")
    arena.right(runs=1, cacheless=2)


@trap(60)
def empty_files_of_one_content(arena: Arena) -> None:
    """Several empty sources: it counts which of them are there."""
    for name in ("a", "b", "c"):
        arena.put(f"parts/{name}.txt", "")
    arena.rules(Step("list", "ls parts > mid.txt", ("mid.txt",), ("parts/*.txt",)), SHOUT)
    arena.right(runs=2)

    (arena.project / "parts/b.txt").rename(arena.project / "parts/d.txt")

    arena.right(runs=2)


@trap(60)
def many_files_deleted_and_renamed(arena: Arena) -> None:
    """Of two thousand files, half are deleted and a quarter renamed."""
    for number in range(2000):
        arena.put(f"parts/{number}.txt", f"{number}\n")
    arena.rules(JOIN, SHOUT)
    arena.right(runs=2)

    for number in range(1000):
        arena.remove(f"parts/{number}.txt")
    for number in range(1000, 1500):
        (arena.project / f"parts/{number}.txt").rename(arena.project / f"parts/x{number}.txt")

    arena.right(runs=2)
