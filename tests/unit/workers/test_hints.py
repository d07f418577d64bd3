"""What a failed command looked for, read off what it printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.path import is_normal
from workers.execute.hints import MOST, wanted

CASES = {
    "m.c:1:10: fatal error: foo/bar.h: No such file or directory": "foo/bar.h",
    "m.c:1:10: fatal error: '../foo.h' file not found": "foo.h",
    "python3: can't open file '/s/tree/tools/gen.py': [Errno 2] No such file or directory": "tools/gen.py",
    "sh: 1: ./tools/gen.sh: not found": "tools/gen.sh",
    "sh: 0: cannot open gen.sh: No such file": "gen.sh",
    "cat: a/b.txt: No such file or directory": "a/b.txt",
    "cat: Makefile.in: No such file or directory": "Makefile.in",
    "FileNotFoundError: [Errno 2] No such file or directory: 'data/my file.txt'": "data/my file.txt",
    "ModuleNotFoundError: No module named 'pkg.mod'": "pkg/mod.py",
    "ModuleNotFoundError: No module named 'helper'": "helper.py",
    "/usr/bin/ld: cannot find lib/x.a: No such file or directory": "lib/x.a",
    "/usr/bin/ld: cannot open linker script file mem.ld: No such file or directory": "mem.ld",
    "{standard input}:1: Error: file not found: f.bin": "f.bin",
    "make: *** No rule to make target 'x/y', needed by 'z'.  Stop.": "x/y",
    "Error: Cannot find module './lib/x.js'": "lib/x.js",
    "error: couldn't read `src/lib.rs`: No such file or directory (os error 2)": "src/lib.rs",
    "cc1: fatal error: pre.h: No such file or directory": "pre.h",
    "Error: ENOENT: no such file or directory, open '/s/tree/conf.json'": "conf.json",
    "gcc: error: @flags.rsp: cannot open: No such file or directory": "@flags.rsp",
    "cp: cannot stat 'res/ic\u00f6n.png': No such file or directory": "res/ic\u00f6n.png",
}


@pytest.mark.parametrize("line", CASES)
def test_the_missing_file_is_among_the_names(line: str) -> None:
    assert CASES[line] in wanted(f"some noise\n{line}\n", ("/s/tree",))


def test_paths_are_those_of_the_tree_and_of_the_folder_the_command_ran_in() -> None:
    text = (
        "/r/build/a.c:1:10: fatal error: gen/x.h: No such file or directory\n"
        "cat: /s/tree/inc/y.h: No such file or directory\n"
        "cp: cannot stat '../src/z.h': No such file or directory\n"
    )

    found = wanted(text, ("/s/tree", "/r"), "build")

    assert {"build/gen/x.h", "gen/x.h", "inc/y.h", "src/z.h"} <= set(found)
    assert "build/inc/y.h" not in found


def test_other_lines_and_places_outside_say_nothing() -> None:
    text = "src/main.c:3: error: expected ';'\nfatal error: /usr/include/x.h: No such file or directory\n"

    assert wanted(text, ("/s/tree",)) == ()


@given(st.text(max_size=300))
def test_whatever_is_printed_the_names_are_paths_of_a_tree(text: str) -> None:
    found = wanted("not found: " + text, ("/s/tree",))

    assert len(found) <= MOST
    assert all(is_normal(path) for path in found)
