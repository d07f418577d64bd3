"""Traps 25 to 29, 33, 37, 38, 45: C headers, and the depfiles that tell of them."""

from __future__ import annotations

from dataclasses import replace

from tests.traps.arena import Arena
from tests.traps.projects import ARCHIVE, COMPILE, c_headers
from tests.traps.verdict import Step, trap


@trap(25)
def header_edited(arena: Arena) -> None:
    """A header is edited."""
    c_headers(arena)

    arena.put("second/value.h", "#define VALUE 2\n")

    arena.right(runs=2)


@trap(25)
def header_that_was_not_read_edited(arena: Arena) -> None:
    """A header that no source reads is edited: no work."""
    c_headers(arena)

    arena.put("first/other.h", "#define OTHER 2\n")

    arena.right(runs=0)


@trap(26)
def new_header_shadows_the_one_that_was_read(arena: Arena) -> None:
    """A new header is found before the one that was read."""
    c_headers(arena)

    arena.put("first/value.h", "#define VALUE 2\n")

    arena.right(runs=2)


@trap(26)
def has_include_finds_a_new_header(arena: Arena) -> None:
    """A header appears that the source asked for with __has_include."""
    source = '#if __has_include("extra.h")\nint value = 2;\n#else\nint value = 1;\n#endif\n'
    c_headers(arena, source=source)

    arena.put("second/extra.h", "")

    arena.right(runs=2)


@trap(27)
def header_deleted_with_its_include(arena: Arena) -> None:
    """A header is deleted, and the line that included it."""
    c_headers(arena)

    arena.remove("second/value.h")
    arena.put("main.c", "int value = 3;\n")

    arena.right(runs=2)


@trap(28)
def header_moved_between_folders(arena: Arena) -> None:
    """A header moves to another folder of the search path."""
    c_headers(arena)

    (arena.project / "second/value.h").rename(arena.project / "first/value.h")

    arena.right(runs=1, cacheless=2)


@trap(29)
def included_header_missing(arena: Arena) -> None:
    """A header is deleted that is still included: an error that names it."""
    c_headers(arena)

    arena.remove("second/value.h")

    arena.fails("value.h", code=1)


@trap(33)
def depfile_declared_and_not_written(arena: Arena) -> None:
    """A declared depfile is never written: an error."""
    arena.put("main.c", "int value = 1;\n")
    arena.rules(replace(COMPILE, command="gcc -c main.c -o main.o"))

    arena.fails("main.d", code=1)


@trap(37)
def generated_header_nobody_declared(arena: Arena) -> None:
    """A header made by another step is read, and no rule says so."""
    arena.put("value.in", "#define VALUE 1\n")
    arena.put("main.c", '#include "value.h"\nint value = VALUE;\n')
    (arena.project / "second").mkdir()
    generate = Step(
        "generate", "mkdir -p second; sleep 0.3; cp value.in second/value.h", ("second/value.h",), ("value.in",)
    )
    arena.rules(generate, COMPILE, ARCHIVE)
    first = arena.build()
    if first.code != 0:
        arena.judge_failure(first, "value.h", code=1)
        second = arena.build()
        # Whoever refuses must go on refusing: else the result hangs on the order things ran in.
        arena.check(second.code != 0, "refused at first, and took what happened to lie there later")
        return
    arena.judge(first, runs=3)

    arena.put("value.in", "#define VALUE 2\n")

    arena.right(runs=3)


@trap(37)
def generated_header_that_was_declared(arena: Arena) -> None:
    """A header made by another step is read, and the rule says so."""
    arena.put("value.in", "#define VALUE 1\n")
    arena.put("main.c", '#include "value.h"\nint value = VALUE;\n')
    generate = Step("generate", "mkdir -p second; cp value.in second/value.h", ("second/value.h",), ("value.in",))
    compiling = replace(COMPILE, may_read=("rule:generate",), inputs=("main.c",), after=("second/value.h",))
    arena.rules(generate, compiling, ARCHIVE)
    arena.right(runs=3)

    arena.put("value.in", "#define VALUE 2\n")
    arena.right(runs=3)

    arena.put("value.in", "#define VALUE 2\n#define NOT_USED 1\n")
    arena.right(runs=2)


_ODD_NAMES = ("with space.h", "do$llar.h", "ha#sh.h", "per%cent.h", "co:lon.h", "quote'd.h", "ünï.h", "{brace}.h")


@trap(38)
def odd_names_in_depfiles(arena: Arena) -> None:
    """Headers with spaces, $, #, %, :, quotes in their names are edited."""
    values = [f"VALUE_{number}" for number in range(len(_ODD_NAMES))]
    source = "".join(f'#include "{name}"\n' for name in _ODD_NAMES) + f"int values[] = {{{', '.join(values)}}};\n"
    for name, value in zip(_ODD_NAMES, values, strict=True):
        arena.put(f"second/{name}", f"#define {value} 1\n")
    c_headers(arena, source=source)

    for name, value in zip(_ODD_NAMES, values, strict=True):
        arena.put(f"second/{name}", f"#define {value} 2\n")
        arena.right(runs=2)


@trap(38)
def one_header_spelled_in_several_ways(arena: Arena) -> None:
    """One header is included by several spellings, with -MP."""
    source = '#include "../second/./value.h"\n#include "second/../second/value.h"\nint value = VALUE;\n'
    arena.put("src/main.c", source)
    arena.put("second/value.h", "#define VALUE 1\n")
    command = "gcc -I. -Isrc/../second -MMD -MP -MF main.d -MT main.o -MT also.o -c src/main.c -o main.o"
    arena.rules(replace(COMPILE, inputs=("src/main.c",), command=command), ARCHIVE)
    arena.right(runs=2)

    arena.put("second/value.h", "#define VALUE 2\n")
    arena.right(runs=2)

    arena.remove("second/value.h")
    arena.put("src/main.c", "int value = 3;\n")
    arena.right(runs=2)


@trap(41)
def empty_folder_on_the_search_path(arena: Arena) -> None:
    """The search path leads through a folder that holds no file."""
    (arena.project / "empty").mkdir()
    c_headers(arena, built=False)
    arena.rules(replace(COMPILE, command=COMPILE.command.replace("-Isecond", "-Iempty/../second")), ARCHIVE)

    arena.right(runs=2)


@trap(45)
def response_file_edited(arena: Arena) -> None:
    """The file that a command takes its options from is edited."""
    arena.put("flags.rsp", "-DVALUE=1\n")
    arena.put("main.c", "int value = VALUE;\n")
    declared = ("**/*.h", "flags.rsp")
    compiling = replace(
        COMPILE, command="gcc @flags.rsp -MMD -MF main.d -c main.c -o main.o", may_read=declared, after=("flags.rsp",)
    )
    arena.rules(compiling, ARCHIVE)
    arena.right(runs=2)

    arena.put("flags.rsp", "-DVALUE=2\n")

    arena.right(runs=2)
