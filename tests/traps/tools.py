"""Traps 43, 44 and 46: tools and variables that change, and what a command may say."""

from __future__ import annotations

import os
from dataclasses import replace

from tests.traps.arena import Arena
from tests.traps.projects import ARCHIVE, COMPILE, SHOUT, STRIP, c_headers, two_steps
from tests.traps.verdict import Step, trap


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
