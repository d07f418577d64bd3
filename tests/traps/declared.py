"""Traps 30 to 32, 39 to 48 and 60: what rules declare, and what the tree may hold."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

from tests.traps.arena import Arena
from tests.traps.projects import ARCHIVE, COMPILE, SHOUT, STRIP, c_headers, two_steps
from tests.traps.verdict import Step, Verdict, trap

JOIN = Step("join", "cat parts/*.txt > mid.txt", ("mid.txt",), ("parts/*.txt",))


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


def _with_tool(arena: Arena) -> None:
    """A one-step project whose command is a program of the PATH, outside of the project."""
    first, second = arena.outside / "first", arena.outside / "second"
    first.mkdir()
    second.mkdir()
    arena.env["PATH"] = f"{first}:{second}:{os.environ['PATH']}"
    (second / "mycc").write_text("#!/bin/sh\ntr a-z A-Z\n")
    (second / "mycc").chmod(0o755)
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("compile", "mycc < in.txt > final.txt", ("final.txt",), ("in.txt",)))
    arena.right(runs=1)


@trap(43)
def compiler_wrapper_replaced_under_the_same_path(arena: Arena) -> None:
    """The compiler's wrapper is replaced, same path, size and mtime."""
    _with_tool(arena)
    tool = arena.outside / "second" / "mycc"
    before = tool.stat()

    tool.write_text("#!/bin/sh\ntr a-y B-Z\n")
    os.utime(tool, ns=(before.st_atime_ns, before.st_mtime_ns))

    arena.right(runs=1)


@trap(43)
def another_compiler_earlier_on_the_path(arena: Arena) -> None:
    """Another compiler of the name appears earlier on the PATH."""
    _with_tool(arena)
    tool = arena.outside / "first" / "mycc"

    tool.write_text("#!/bin/sh\ntr a-y B-Z\n")
    tool.chmod(0o755)

    arena.right(runs=1)


@trap(43)
def compiler_link_turned(arena: Arena) -> None:
    """The compiler is a link, which is turned to another version and back."""
    _with_tool(arena)
    link = arena.outside / "second" / "mycc"
    link.rename(arena.outside / "second" / "mycc-1")
    link.symlink_to("mycc-1")
    arena.right(runs=0)
    other = arena.outside / "second" / "mycc-2"
    other.write_text("#!/bin/sh\ntr a-y B-Z\n")
    other.chmod(0o755)

    link.unlink()
    link.symlink_to("mycc-2")
    arena.right(runs=1)

    link.unlink()
    link.symlink_to("mycc-1")
    arena.right(runs=0, cacheless=1)


@trap(43)
def rule_with_another_tool_added(arena: Arena) -> None:
    """A rule is added that uses another program: what does not use it does not run."""
    two_steps(arena)

    arena.rules(STRIP, SHOUT, Step("count", "wc -l < in.txt > count.txt", ("count.txt",), ("in.txt",)))

    arena.right(runs=1)


@trap(44)
def unset_and_empty_variables_differ(arena: Arena) -> None:
    """A variable is unset, then empty, then unset again."""
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("tell", 'echo "${FLAVOUR-none}" > final.txt', ("final.txt",), ("in.txt",), pass_env=("FLAVOUR",)))
    arena.right(runs=1)

    arena.env["FLAVOUR"] = ""
    arena.right(runs=1)

    del arena.env["FLAVOUR"]
    arena.right(runs=0, cacheless=1)


@trap(44)
def variable_that_no_rule_takes_over(arena: Arena) -> None:
    """Variables that no rule takes over change: no work."""
    two_steps(arena)

    arena.env |= {"LS_COLORS": "none", "SSH_AGENT_PID": "12", "ZZZ": "1"}

    arena.right(runs=0)


@trap(46)
def dollars_and_quotes_in_a_command(arena: Arena) -> None:
    """Dollars, quotes, backslashes and braces in a command mean what the shell says."""
    command = """x='a  b'; y=${x#a}; printf '%s|%s|%s\\n' "$x" "$y" '$x "q" \\n {in} {{z}} #' > final.txt; cat in.txt >> final.txt"""
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("tell", command, ("final.txt",), ("in.txt",)))
    arena.right(runs=1)

    # One blank less, inside of quotes.
    arena.rules(Step("tell", command.replace("a  b", "a b"), ("final.txt",), ("in.txt",)))
    arena.right(runs=1)


@trap(46)
def newline_in_a_command(arena: Arena) -> None:
    """A command of several lines."""
    command = "cat > final.txt <<END\nline one\n  'line' two\nEND\ncat in.txt >> final.txt\n"
    arena.put("in.txt", "alpha\n")
    arena.rules(Step("tell", command, ("final.txt",), ("in.txt",)))
    arena.right(runs=1)

    arena.rules(Step("tell", command.replace("\n  'line'", "\n 'line'"), ("final.txt",), ("in.txt",)))
    arena.right(runs=1)


@trap(46)
def order_of_flags(arena: Arena) -> None:
    """The flags of a command are put in another order."""
    arena.put("first/value.h", "#define VALUE 2\n")
    c_headers(arena)

    arena.rules(replace(COMPILE, command=COMPILE.command.replace("-Ifirst -Isecond", "-Isecond -Ifirst")), ARCHIVE)

    arena.right(runs=2)


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
