"""What `-t` answers: over one build file with everything in it, byte for byte what the real ninja does."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

BUILD = r"""
cflags = -O2 "-DX=a b" $
    -Wall
rule cc
  command = cc $cflags -MMD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
  description = CC $out
rule cp
  command = cp $in $out && echo "$$HOME\t" '$in'
  description = COPY $in
rule link
  command = cc @$out.rsp -o $out
  rspfile = $out.rsp
  rspfile_content = $in_newline -lfoo
  description = LINK
rule gen
  command = touch $out
  generator = 1
rule thin
  command = ar -f $out.rsp
  rspfile = $out.rsp
  rspfile_content = a b c
pool p
  depth = 2
build a.o: cc a.c | gen.h || stamp
build b$ c.o | b$ c.lst: cc b$ c.c
build gen.h: cp gen.h.in
build stamp: gen
build app | app.map: link a.o b$ c.o | lib.a || order |@ check
build lib.a: thin a.o
build check: cp app
build order: phony stamp gen.h
build quo'te: cp it's
build sub/dir/out: cp a.c
  pool = p
build all: phony app sub/dir/out quo'te
build other: phony
build ext: cp ../outside.c
build $$dollar: cp uml-ä ~home c$:drive
default all
"""
SOURCES = ("a.c", "b c.c", "gen.h.in", "it's", "uml-ä", "~home", "c:drive", "../outside.c")
ASKED = {
    "targets": """all;rule;rule cc;rule cp;rule nope;depth;depth 0;depth 2;depth -1;nope;rul""",
    "commands": """;all;app;-s app;-s app lib.a;-s all;nope;a.p;a.c^;app^;a.c;-x""",
    "inputs": """;all;-d all;-E all;-0 all;--print0 -E all;--dependency-order app;--no-shell-escape app lib.a;nope""",
    "multi-inputs": """;app all;-0 app;-d : app;--delimiter=: app;nope""",
    "query": """;app;app a.o gen.h;check a.c;order;nope;'b c.o';"quo'te";a.c^;'~home'""",
    "graph": """;app;nope;a.c""",
    "compdb": """;cc;cc cp;-x link;-x link thin;nope""",
    "compdb-targets": """;app;-x app;app lib.a;nope;a.c;order""",
    "rules": """;-d""",
    "deps": """;a.o;nope;a.c""",
    "missingdeps": """;app;nope""",
    "clean": """;nope;app;-r;-g;-r cc link;-r nope;-z""",
    "cleandead": "",
    "no-such": "",
    "cmmands": "",
    "clen": "",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    made = Pair(tmp_path_factory.mktemp("tools"))
    made.write("build.ninja", BUILD)
    for path in SOURCES:
        made.write(path, "")
    return made


def _plain(text: str, folder: Path) -> str:
    """Without what says where it is, with the things of a graph numbered, and without what Windrow adds to an error."""
    numbers = itertools.count()
    seen: dict[str, int] = {}
    text = re.sub(r'"0x[0-9a-f]+"', lambda found: f'"{seen.setdefault(found[0], next(numbers))}"', text)
    return re.sub(r"^  (why|fix): .*\n", "", text.replace(str(folder), "@"), flags=re.MULTILINE)


@pytest.mark.parametrize("tool", ASKED)
def test_a_tool_answers_as_that_of_ninja_does(pair: Pair, tool: str) -> None:
    for words in ASKED[tool].split(";"):
        ninja, windrow = pair.both("-t", tool, *shlex.split(words))

        assert windrow.code == ninja.code, words
        assert _plain(windrow.out, pair.windrow) == _plain(ninja.out, pair.ninja), words
        assert _plain(windrow.err, pair.windrow) == _plain(ninja.err, pair.ninja), words


def test_what_is_dirty_is_called_as_the_build_file_calls_it(pair: Pair) -> None:
    assert "ninja explain: stamp is dirty: " in pair.by_windrow("-n", "-d", "explain", "stamp").err
