"""What a compile could read: never a file too few, and hardly one too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.includes import DirectiveCache, Scanner
from tests.fakes.tree import MemoryFiles, scan, scanner

# files, command, what is read besides m.c
FOUND: dict[str, tuple[dict[str, str], str, set[str]]] = {
    "beside the source": ({"m.c": '#include "a.h"', "a.h": ""}, "cc -c m.c", {"a.h"}),
    "beside the header": (
        {"m.c": '#include "d/a.h"', "d/a.h": '#include "b.h"', "d/b.h": "", "b.h": ""},
        "cc -c m.c",
        {"d/a.h", "d/b.h"},
    ),
    "angles not beside": ({"m.c": "#include <a.h>", "a.h": ""}, "cc -c m.c", set()),
    "angles along -I": ({"m.c": "#include <a.h>", "i/a.h": "", "j/a.h": ""}, "cc -Ii -I j -c m.c", {"i/a.h"}),
    "quotes along -iquote first": (
        {"m.c": '#include "a.h"', "q/a.h": "", "i/a.h": ""},
        "cc -Ii -iquote q -c m.c",
        {"q/a.h"},
    ),
    "angles not along -iquote": ({"m.c": "#include <a.h>", "q/a.h": ""}, "cc -iquoteq -c m.c", set()),
    "-isystem after -I": (
        {"m.c": "#include <a.h>", "s/a.h": "", "i/a.h": ""},
        "cc -isystem s -Ii -c m.c",
        {"i/a.h"},
    ),
    "-idirafter last": (
        {"m.c": "#include <a.h>\n#include <b.h>", "d/a.h": "", "s/a.h": "", "d/b.h": ""},
        "cc -idirafter d -isystem s -c m.c",
        {"s/a.h", "d/b.h"},
    ),
    "-I that is a system folder too counts there": (
        {"m.c": "#include <a.h>", "s/a.h": "", "i/a.h": ""},
        "cc -Is -Ii -isystem s -c m.c",
        {"i/a.h"},
    ),
    "-I- splits, and ends the search beside": (
        {"m.c": '#include "a.h"\n#include <b.h>', "a.h": "", "q/a.h": "", "q/b.h": "", "i/b.h": ""},
        "cc -Iq -I- -Ii -c m.c",
        {"q/a.h", "i/b.h"},
    ),
    "-include and -imacros from the working folder": (
        {"s/m.c": "", "f.h": '#include "g.h"', "s/f.h": "", "i/mac.h": "", "g.h": ""},
        "cc -include f.h -imacros mac.h -Ii -c s/m.c",
        {"s/m.c", "f.h", "g.h", "i/mac.h"},
    ),
    "-include joined": ({"m.c": "", "f.h": ""}, "cc -includef.h -c m.c", {"f.h"}),
    "--include=": ({"m.c": "", "f.h": ""}, "cc --include=f.h -c m.c", {"f.h"}),
    "-F is nothing": ({"m.c": "#include <A/a.h>", "f/A/a.h": ""}, "cc -F f -c m.c", set()),
    "-Wp,": ({"m.c": "#include <a.h>", "i/a.h": ""}, "cc -Wp,-Ii,-MD,x.d -c m.c", {"i/a.h"}),
    "-Xclang": ({"m.c": "", "f.h": ""}, "clang -Xclang -include -Xclang f.h -c m.c", {"f.h"}),
    "-iprefix": ({"m.c": "#include <a.h>", "x/i/a.h": ""}, "cc -iprefix x/ -iwithprefixbefore i -c m.c", {"x/i/a.h"}),
    "import": ({"m.c": '#import "a.h"', "a.h": ""}, "cc -c m.c", {"a.h"}),
    "include_next: every other": (
        {"m.c": "#include <a.h>", "i/a.h": "#include_next <a.h>", "j/a.h": "#include_next <a.h>", "k/a.h": ""},
        "cc -Ii -Ij -Ik -c m.c",
        {"i/a.h", "j/a.h", "k/a.h"},
    ),
    "__has_include": (
        {"m.c": '#if __has_include("a.h") || __has_include(<b.h>)\n#endif', "a.h": "", "i/b.h": ""},
        "cc -Ii -c m.c",
        {"a.h", "i/b.h"},
    ),
    "__has_include_next": (
        {"m.c": "#include <a.h>", "i/a.h": "#if __has_include_next(<a.h>)\n#endif", "j/a.h": ""},
        "cc -Ii -Ij -c m.c",
        {"i/a.h", "j/a.h"},
    ),
    "embed is read but not looked into": (
        {"m.c": '#embed "d.bin"\n#if __has_embed(<e.bin>)\n#endif', "d.bin": '#include "a.h"', "x/e.bin": "", "a.h": ""},
        "cc --embed-dir=x -c m.c",
        {"d.bin", "x/e.bin"},
    ),
    "incbin in inline assembler": (
        {"m.c": 'asm(".incbin \\"d.bin\\"\\n .include \\"t.inc\\"");', "d.bin": "", "i/t.inc": ""},
        "cc -Ii -c m.c",
        {"d.bin", "i/t.inc"},
    ),
    "assembler": (
        {"s/m.S": '#include "a.h"\n.include "t.inc"\n.incbin "b.bin", 2', "s/a.h": "", "t.inc": '.include "u.inc"',
         "w/u.inc": "", "s/b.bin": ""},
        "cc -x assembler-with-cpp -Wa,-Iw -c s/m.S",
        {"s/m.S", "s/a.h", "t.inc", "w/u.inc", "s/b.bin"},
    ),
    "every branch": (
        {"m.c": '#if 0\n#include "a.h"\n#else\n#include "b.h"\n#endif', "a.h": "", "b.h": ""},
        "cc -c m.c",
        {"a.h", "b.h"},
    ),
    "a folder is no file": ({"m.c": "#include <memory>", "i/memory/x.h": ""}, "cc -Ii -c m.c", set()),
    "continued, digraph, trigraph": (
        {"m.c": '#inc\\\nlude "a.h"\n%:include "b.h"\n??=include "c.h"', "a.h": "", "b.h": "", "c.h": ""},
        "cc -c m.c",
        {"a.h", "b.h", "c.h"},
    ),
    "comments between, and a byte order mark": (
        {"m.c": '\ufeff#include "a.h"\n/* x */ # /* y */ include /* z */ "b.h"', "a.h": "", "b.h": ""},
        "cc -c m.c",
        {"a.h", "b.h"},
    ),
    "in a line comment": ({"m.c": '// #include "a.h"', "a.h": ""}, "cc -c m.c", set()),
    "a circle": ({"m.c": '#include "a.h"', "a.h": '#include "b.h"', "b.h": '#include "a.h"'}, "cc -c m.c", {"a.h", "b.h"}),
    "up and down": (
        {"s/m.c": '#include "../i/a.h"', "i/a.h": '#include "./../i//b.h"', "i/b.h": ""},
        "cc -c s/m.c",
        {"s/m.c", "i/a.h", "i/b.h"},
    ),
    "out of the tree": ({"m.c": '#include "../../a.h"\n#include "/etc/a.h"', "a.h": ""}, "cc -c m.c", set()),
    "absolute, in the tree": ({"m.c": '#include "/p/i/a.h"', "i/a.h": ""}, "cc -c m.c", {"i/a.h"}),
    "absolute folders": ({"m.c": "#include <a.h>", "i/a.h": ""}, "cc -I/usr/inc -I/p/i -c /p/m.c", {"i/a.h"}),
    "macro": ({"m.c": '#define H "a.h"\n#include H', "a.h": ""}, "cc -c m.c", {"a.h"}),
    "macro of another file, through another": (
        {"m.c": '#include "c.h"\n#include H', "c.h": "#define H G /* x */\n# define G <a.h> // y", "i/a.h": ""},
        "cc -Ii -c m.c",
        {"c.h", "i/a.h"},
    ),
    "macro with two values": (
        {"m.c": '#ifdef X\n#define H "a.h"\n#else\n#define H "b.h"\n#endif\n#include H', "a.h": "", "b.h": ""},
        "cc -c m.c",
        {"a.h", "b.h"},
    ),
    "macro of the command": ({"m.c": "#include H", "a.h": ""}, "cc '-DH=\"a.h\"' -c m.c", {"a.h"}),
    "macro of the command, in its own word": ({"m.c": "#include H", "a.h": ""}, 'cc -D H=\\"a.h\\" -c m.c', {"a.h"}),
    "macro that a computed header defines": (
        {"m.c": '#define H "a.h"\n#include H\n#include K', "a.h": '#define K "b.h"', "b.h": ""},
        "cc -c m.c",
        {"a.h", "b.h"},
    ),
    "macro in a question": ({"m.c": '#define H "a.h"\n#if __has_include(H)\n#endif', "a.h": ""}, "cc -c m.c", {"a.h"}),
    "macro that nobody defines": ({"m.c": "#ifdef H\n#include H\n#endif", "a.h": ""}, "cc -c m.c", set()),
    "macro that is a flag": ({"m.c": "#define H 1\n#include H", "a.h": ""}, "cc -c m.c", set()),
    "precompiled header": ({"m.c": "", "f.h": "", "f.h.gch": ""}, "cc -include f.h -c m.c", {"f.h", "f.h.gch"}),
    "precompiled headers in a folder": (
        {"m.c": '#include "f.h"', "i/f.h": "", "i/f.h.gch/c": '#include "a.h"', "a.h": ""},
        "cc -Ii -c m.c",
        {"i/f.h", "i/f.h.gch/c"},
    ),
    "precompiled header without its header": (
        {"m.c": '#include "f.h"', "i/f.h.gch": "", "j/f.h": ""},
        "cc -Ii -Ij -c m.c",
        {"i/f.h.gch", "j/f.h"},
    ),
    "what the system's headers find first": (
        {"m.c": "#include <stdio.h>", "i/stddef.h": "", "i/bits/types.h": "", "j/other.h": "", "stdint.h": ""},
        "cc -Ii -Ij -c m.c",
        {"i/stddef.h", "i/bits/types.h"},
    ),
    "no system headers": ({"m.c": "", "i/stddef.h": "", "i/linux/a.h": ""}, "cc -nostdinc -Ii -c m.c", set()),
    "other files that the command names": (
        {"m.c": "", "l.ld": "", "s.txt": "", "old.o": "", "out.o": ""},
        "cc -T l.ld -fsanitize-ignorelist=s.txt -c m.c old.o -o out.o -MF s",
        {"l.ld", "s.txt", "old.o"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_is_read_is_found(name: str) -> None:
    files, command, expected = FOUND[name]

    found = scan(files, command)

    assert found.paths == expected | ({"m.c"} & files.keys())
    assert found.doubts == ()


DOUBTFUL: dict[str, tuple[dict[str, str], str]] = {
    "macro with parameters": ({"m.c": "#include INC(a)"}, "cc -c m.c"),
    "macro whose value is computed": ({"m.c": "#define H STR(a.h)\n#include H"}, "cc -c m.c"),
    "macro between brackets": ({"m.c": "#define A x86\n#define H <A/a.h>\n#include H"}, "cc -c m.c"),
    "macro embedded": ({"m.c": "#embed X"}, "cc -c m.c"),
    "incbin of a macro": ({"m.c": 'asm(".incbin \\"" F "\\"");'}, "cc -c m.c"),
    "incbin of a parameter": ({"m.S": ".macro inc f\n.incbin \\f\n.endm"}, "cc -c m.S"),
    "module": ({"m.cpp": "import std;\n"}, "g++ -c m.cpp"),
    "modules flag": ({"m.c": ""}, "clang -fmodules -c m.c"),
    "a source that is not there": ({}, "cc -c m.c"),
    "no compiler": ({"m.c": ""}, "./wrap.py m.c"),
    "a response file that is not there": ({"m.c": ""}, "cc @x.rsp -c m.c"),
    "an unknown variable": ({"m.c": ""}, "cc $FLAGS -c m.c"),
    "a command in the command": ({"m.c": ""}, "cc `pkg-config --cflags x` -c m.c"),
    "another command in the command": ({"m.c": ""}, "cc $(pkg-config --cflags x) -c m.c"),
    "a folder outside": ({"m.c": ""}, "cd /elsewhere && cc -c m.c"),
    "system headers in the tree": ({"m.c": ""}, "cc --sysroot=sys -c m.c"),
    "header map": ({"m.c": "", "x.hmap": ""}, "clang -Ix.hmap -c m.c"),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_cannot_be_told_is_a_doubt(name: str) -> None:
    files, command = DOUBTFUL[name]

    found = scan(files, command, sources=["m.c"] if not files else ())

    assert found.unresolved
    assert all(found.doubts)


@pytest.mark.parametrize(
    "text", ["import the thing\n", "// import it;", "int import = 3;\n", "  module of a kind\n", '#import "x.h"\n']
)
def test_words_about_modules_are_no_modules(text: str) -> None:
    assert not scan({"m.cpp": text}, "g++ -c m.cpp").unresolved


def test_a_module_of_c_is_nothing() -> None:
    assert not scan({"m.c": "import std;\n"}, "gcc -c m.c").unresolved


def test_folders_that_must_be_there_are_told() -> None:
    files = {"s/m.c": '#include "k/../a.h"', "s/a.h": "", "b/x": ""}

    found = scan(files, "cd b && cc -I../none/../inc -iquote ../q -c ../s/m.c")

    assert found.dirs == {"b", "none", "inc", "q", "s/k", "inc/k", "q/k"}
    assert found.paths == {"s/m.c", "s/a.h"}


def test_sources_may_be_told_apart_from_the_command() -> None:
    found = scan({"m.c": '#include "a.h"', "a.h": ""}, ["cc", "-c", "-"], sources=["m.c"])

    assert found.paths == {"m.c", "a.h"}


def test_response_files_are_given_or_read() -> None:
    files = {"m.c": "#include <a.h>\n#include <b.h>", "i/a.h": "", "j/b.h": "", "r/x.rsp": '"-Ii" @r/y.rsp'}

    found = scan(files, "cc @r/x.rsp -c m.c", responses={"r/y.rsp": "-I\n j"})

    assert found.paths == {"m.c", "i/a.h", "j/b.h", "r/x.rsp"}


@pytest.mark.parametrize(
    ("environ", "source", "expected"),
    [
        ({"CPATH": "i:j"}, "m.c", {"i/a.h"}),
        ({"C_INCLUDE_PATH": "j", "CPLUS_INCLUDE_PATH": "i"}, "m.c", {"j/a.h"}),
        ({"C_INCLUDE_PATH": "j", "CPLUS_INCLUDE_PATH": "i"}, "m.cpp", {"i/a.h"}),
        ({"C_INCLUDE_PATH": "j", "CPATH": "i"}, "m.c", {"i/a.h"}),
        ({"CPATH": ":i"}, "m.c", {"a.h"}),
        ({}, "m.c", set()),
    ],
)
def test_search_paths_of_the_environment_count(environ: dict[str, str], source: str, expected: set[str]) -> None:
    files = {source: "#include <a.h>", "i/a.h": "", "j/a.h": "", "a.h": ""}

    assert scan(files, f"cc -c {source}", environ=environ).paths == expected | {source}


def test_a_file_is_read_once_whatever_the_number_of_scans() -> None:
    files = MemoryFiles({"m.c": '#include "a.h"', "n.c": '#import "a.h"', "a.h": ""})
    one = Scanner(files.files, files, "/p", DirectiveCache())

    for source in ("m.c", "n.c", "m.c"):
        one.scan(f"cc -c {source}")

    assert files.reads == {"m.c": 1, "n.c": 1, "a.h": 1}


def test_a_changed_file_is_read_again() -> None:
    files = MemoryFiles({"m.c": '#include "a.h"', "a.h": "", "b.h": ""})
    one = Scanner(files.files, files, "/p", DirectiveCache())
    one.scan("cc -c m.c")

    files.files["a.h"] = b'#include "b.h"'

    assert one.scan("cc -c m.c").paths == {"m.c", "a.h", "b.h"}


def test_a_file_that_comes_is_found_and_one_that_goes_is_not() -> None:
    files = MemoryFiles({"m.c": '#include "a.h"', "i/a.h": ""})
    one = Scanner(files.files, files, "/p", DirectiveCache())
    command = "cc -Ii -Ij -c m.c"
    assert one.scan(command).paths == {"m.c", "i/a.h"}

    files.files |= {"a.h": b"", "j/a.h": b""}
    one.tree.add(["a.h", "j/a.h"])
    assert one.scan(command).paths == {"m.c", "a.h"}

    one.tree.remove(["a.h", "i/a.h"])
    assert one.scan(command).paths == {"m.c", "j/a.h"}


@pytest.mark.parametrize("path", ["i/stddef.h", "i/bits/x.h", "a.h.gch", "i/a.h.gch/x", "f.h"])
def test_a_file_that_comes_later_counts_as_if_it_had_been_there(path: str) -> None:
    files = MemoryFiles({"m.c": '#include "a.h"', "a.h": "", path: ""})
    one = Scanner(files.files.keys() - {path}, files, "/p", DirectiveCache())
    command = "cc -include f.h -Ii -c m.c"
    one.scan(command)

    one.tree.add([path])

    assert one.scan(command) == Scanner(files.files, files, "/p", DirectiveCache()).scan(command)


NAMES = ["a.h", "b.h", "i/a.h", "i/b.h", "j/a.h", "j/b.h", "i/k/a.h"]
DIRECTIVE = st.builds(
    "#{} {}".format,
    st.sampled_from(["include", "include_next", "import"]),
    st.sampled_from(['"a.h"', "<a.h>", '"b.h"', "<b.h>", '"k/a.h"', '"../a.h"', "H"]),
)
TEXT = st.lists(st.one_of(DIRECTIVE, st.sampled_from(['#define H "b.h"', "#define H <a.h>"])), max_size=4).map(
    "\n".join
)
TREES = st.dictionaries(st.sampled_from(NAMES), TEXT)
COMMANDS = st.lists(
    st.sampled_from(["-Ii", "-Ij", "-iquote i", "-isystem j", "-idirafter i", "-I-", "-include b.h"]), max_size=4
)


@given(TREES, TEXT, COMMANDS, st.sampled_from(NAMES), TEXT)
def test_a_new_file_takes_nothing_away_unless_it_shadows(
    tree: dict[str, str], source: str, flags: list[str], new: str, text: str
) -> None:
    command = f"cc {' '.join(flags)} -c m.c"
    files = {**tree, "m.c": source}
    before = scan(files, command).paths

    after = scan({**files, new: text}, command).paths

    name = new.rpartition("/")[2]
    if new not in files and not any(path.rpartition("/")[2] == name for path in before):
        assert before <= after


@given(TREES, TEXT, COMMANDS, st.lists(st.tuples(st.booleans(), st.sampled_from(NAMES)), max_size=4))
def test_a_scanner_that_was_told_of_changes_agrees_with_a_new_one(
    tree: dict[str, str], source: str, flags: list[str], changes: list[tuple[bool, str]]
) -> None:
    command = f"cc {' '.join(flags)} -c m.c"
    files = MemoryFiles({**dict.fromkeys(NAMES, "#include <b.h>"), **tree, "m.c": source})
    there = {*tree, "m.c"}
    old = Scanner(there, files, "/p", DirectiveCache())
    old.scan(command)

    for comes, path in changes:
        (there.add if comes else there.discard)(path)
        (old.tree.add if comes else old.tree.remove)([path])
        old.scan(command)

    assert old.scan(command) == Scanner(there, files, "/p", DirectiveCache()).scan(command)


def test_the_order_of_scans_makes_no_difference() -> None:
    files = {"m.c": '#include "a.h"', "a.h": "#include <b.h>", "i/b.h": "", "j/b.h": ""}
    one = scanner(files)

    first, second = one.scan("cc -Ii -c m.c"), one.scan("cc -Ij -c m.c")

    assert first.paths == {"m.c", "a.h", "i/b.h"}
    assert second.paths == {"m.c", "a.h", "j/b.h"}


def test_a_header_named_on_the_command_line_that_goes_is_found_no_more() -> None:
    there = {"m.c", "b.h", "i/b.h", "j/b.h"}
    one = Scanner(there, MemoryFiles(dict.fromkeys(there, "")), "/p", DirectiveCache())
    command = "cc -Ii -include b.h -c m.c"
    assert one.scan(command).paths == {"m.c", "b.h"}

    one.tree.remove(["b.h"])
    assert one.scan(command).paths == {"m.c", "i/b.h"}
    # Of three of its name one is left, which this command does not find: not the same as the first one to come.
    one.tree.remove(["i/b.h"])
    assert one.scan(command).paths == {"m.c"}
