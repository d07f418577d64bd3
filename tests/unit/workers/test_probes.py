"""The names a C file can ask for: never one too few."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.execute.probes import ANY, Prober, of_argv, scan

CASES: dict[str, tuple[str, set[str]]] = {
    "plain": ('#include "a/b.h"\n#include <c.h>\n', {"b.h", "c.h"}),
    "blanks": ('  #  include\t"a.h"\n#include"b.h"\n#include<c.h>', {"a.h", "b.h", "c.h"}),
    "next, import and embed": (
        '#include_next <a.h>\n#import "b.h"\n#embed "c.bin" limit(2)\n',
        {"a.h", "b.h", "c.bin"},
    ),
    "comments between": ('/* x */ # /* y\n z */ include /**/ "a.h" // b\n', {"a.h"}),
    "comment before": ('/* x\n*/#include "a.h"\n', {"a.h"}),
    "continued": ('#inc\\\nlude "a.h"\n#include \\\r\n "b.h"\n#include "c\\\n.h"\n', {"a.h", "b.h", "c.h"}),
    "conditions do not count": ('#if 0\n#include "a.h"\n#endif\n', {"a.h"}),
    "asked whether there": (
        '#if __has_include("a/x.h") && __has_include( <y.h> ) || __has_embed("z")\n',
        {"x.h", "y.h", "z"},
    ),
    "asked, next": ("#if __has_include_next(<a.h>)\n", {"a.h"}),
    "defined is no question": ("#ifdef __has_include\n#if defined(__has_include)\n", set()),
    "computed": ("#define H <x.h>\n#include H\n", {ANY}),
    "computed question": ("#if __has_include(H)\n", {ANY}),
    "digraph and trigraph": ('%:include "a.h"\n??=include "b.h"\n', {"a.h", "b.h"}),
    "other directives": ("#define include\n#error include <x.h>\n#includes\n", set()),
    "line comment": ("// #include MACRO\n * #include what\n", set()),
    "assembler": ('asm(".incbin \\"f/a.bin\\"");\n.include "m.inc"\n', {"a.bin", "m.inc"}),
    "parent": ('#include "../x.h"\n', {"x.h"}),
    "no bytes": ("", set()),
}


@pytest.mark.parametrize("name", CASES)
def test_directives_are_found(name: str) -> None:
    text, expected = CASES[name]

    assert scan(text.encode()).names == expected


@pytest.mark.parametrize("text", ["import std;", "export import foo:bar;", "import <vector>;", "  module x;"])
def test_modules_ask_for_anything(text: str) -> None:
    assert scan(text.encode(), "cpp").names == {ANY}
    assert scan(text.encode(), "c").names == set()


GAPS = st.sampled_from(["", " ", "\t", "/**/", "/* a */ ", "/*\n*/", "\\\n", " \\\n "])


@given(GAPS, GAPS, GAPS, st.sampled_from(["include", "include_next", "import"]), st.sampled_from(['"{}"', "<{}>"]))
def test_gaps_between_the_words_hide_nothing(before: str, inside: str, after: str, word: str, quotes: str) -> None:
    line = f"int x;\n{before}#{inside}{word}{after}{quotes.format('d/name.h')}\n"

    assert scan(line.encode()).names == {"name.h"}


@given(st.binary(max_size=200))
def test_no_bytes_break_the_scan(data: bytes) -> None:
    scan(data)


@pytest.mark.parametrize("header", ["stdio.h", "stdlib.h", "signal.h", "limits.h", "math.h", "sys/types.h", "stdint.h"])
def test_every_header_gcc_opens_was_asked_for(tmp_path: Path, header: str) -> None:
    (tmp_path / "m.c").write_text(f"#include <{header}>\n")
    done = subprocess.run(
        ["gcc", "-H", "-fsyntax-only", "m.c"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    stack = {0: "m.c"}

    for dots, path in re.findall(r"^(\.+) (.+)$", done.stderr, re.MULTILINE):
        parent = tmp_path / stack[len(dots) - 1]
        stack[len(dots)] = path
        names = scan(parent.read_bytes()).names
        assert names & {Path(path).name, ANY}, f"{path} from {parent}"


def test_words_of_the_command_count() -> None:
    argv = ["gcc", "-include", "a/pre.h", "-includeb.h", "--include=c.h", "-imacros", "d.h", "-Iinclude", "-c", "x.c"]

    assert of_argv(argv) == {"pre.h", "b.h", "c.h", "d.h"}
    assert of_argv(["sh", "-c", "gcc -include 'k.h' x.c"]) == {"k.h"}
    assert of_argv(["gcc", "-include"]) == set()


def test_a_file_of_another_language_may_ask_for_anything() -> None:
    prober = Prober()

    assert prober.asked([("tools/gen.py", "sha256:1")], lambda path: b"").untold
    assert prober.asked([("Makefile", "sha256:2")], lambda path: b"").untold
    assert not prober.asked([("a.h", "sha256:3")], lambda path: b"").untold


def test_content_is_scanned_once() -> None:
    prober, seen = Prober(), list[str]()

    def read(path: str) -> bytes:
        seen.append(path)
        return b'#include "x.h"\n'

    files = [("a.c", "sha256:1"), ("b.c", "sha256:1"), ("c.h", "sha256:2")]
    first = prober.asked(files, read)
    second = prober.asked(files, read)

    assert first == second
    assert first.names == {"x.h"}
    assert seen == ["a.c", "c.h"]
