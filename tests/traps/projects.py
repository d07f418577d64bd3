"""The tiny projects the scenarios happen in."""

from __future__ import annotations

from tests.traps.arena import Arena
from tests.traps.verdict import Step

STRIP = Step("strip", "sed /^#/d in.txt > mid.txt", ("mid.txt",), ("in.txt",))
SHOUT = Step("shout", "tr a-z A-Z < mid.txt > final.txt", ("final.txt",), ("mid.txt",))


def two_steps(arena: Arena, *, text: str = "# one\nalpha\n", first: Step = STRIP, second: Step = SHOUT) -> None:
    """in.txt -> mid.txt -> final.txt, built once. Lines with # are dropped on the way."""
    arena.put("in.txt", text)
    arena.rules(first, second)
    arena.right(runs=2)


COMPILE = Step(
    "compile",
    "gcc -Ifirst -Isecond -MMD -MF main.d -c main.c -o main.o",
    ("main.o",),
    ("main.c",),
    depfile="main.d",
    may_read=("**/*.h",),
)
ARCHIVE = Step("archive", "ar rcD final.a main.o", ("final.a",), ("main.o",))


def c_headers(arena: Arena, *, source: str = '#include "value.h"\nint value = VALUE;\n', built: bool = True) -> None:
    """main.c and second/value.h -> main.o -> final.a; `first` is looked into before `second`."""
    arena.put("main.c", source)
    arena.put("first/other.h", "#define OTHER 1\n")
    arena.put("second/value.h", "#define VALUE 1\n")
    arena.rules(COMPILE, ARCHIVE)
    if built:
        arena.right(runs=2)
