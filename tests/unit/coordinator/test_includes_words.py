"""Command lines are split as the shell and the compiler split them, and compiles are found in them."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.includes.words import response_words, simple_commands
from tests.fakes.tree import scan

WORDS = st.lists(
    st.text(st.sampled_from("ab/-=.,'\"\\ \t\n$`;&|<>()#*~@"), min_size=1, max_size=8), min_size=1, max_size=5
)


@given(WORDS)
def test_words_that_were_quoted_are_told_apart_again(words: list[str]) -> None:
    (one,) = simple_commands(shlex.join(["cc", *words]), {})

    assert one.words == ("cc", *words)
    assert one.clear


SHELL: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "plain": ("cc -c m.c", [("cc", "-c", "m.c")]),
    "several": ("a b && c || d; e | f & g\nh", [("a", "b"), ("c",), ("d",), ("e",), ("f",), ("g",), ("h",)]),
    "no blanks": ("a&&b;c", [("a",), ("b",), ("c",)]),
    "only ands": ("a b && c && d", [("a", "b"), ("c",), ("d",)]),
    "redirections": ("a >x 2>>y <z 2>&1 b &>w c", [("a", "b", "c")]),
    "pieces": ("a'b'\"c\"\\d e=\"f g\"", [("abcd", "e=f g")]),
    "empty words": ("a '' \"\"", [("a", "", "")]),
    "escapes in double quotes": (r'a "\"b\" \\ \n \$"', [("a", r'"b" \ \n $')]),
    "continued": ("a \\\n b", [("a", "b")]),
    "comment": ("a b#c # d", [("a", "b#c")]),
    "subshell": ("(a; b) && c", [("a",), ("b",), ("c",)]),
    "shell in the shell": ("a && sh -c 'b && c d'", [("a",), ("b",), ("c", "d")]),
    "variables": ('a $X${Y}b "$X"', [("a", "xyb", "x")]),
}  # fmt: skip


@pytest.mark.parametrize("name", SHELL)
def test_a_shell_text_is_split_into_its_commands(name: str) -> None:
    text, expected = SHELL[name]

    found = simple_commands(text, {"X": "x", "Y": "y"})

    assert [one.words for one in found] == expected
    assert all(one.clear for one in found)


@given(
    st.lists(st.sampled_from(["a", "'b c'", '"d e"', "\\ ", "\\'", " ", "\t", '"f\\"g"', "h\\\\", "''", "#", "="])).map(
        "".join
    )
)
def test_quotes_mean_what_the_shell_means(text: str) -> None:
    script = f"set -- x {text}\nprintf '%s\\0' \"$@\""
    said = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout

    (one,) = simple_commands(f"x {text}", {})

    assert list(one.words) == said.split("\0")[:-1]


@pytest.mark.parametrize("text", ["cc $X", 'cc "$X"', "cc `x`", "cc $(x)", 'cc "`x`"', 'cc "$(x)"', "cc ${X:-y}"])
def test_what_the_shell_would_put_in_is_not_clear(text: str) -> None:
    assert not simple_commands(text, {})[0].clear


@given(WORDS)
def test_a_response_file_gives_the_words_that_were_escaped_into_it(words: list[str]) -> None:
    text = "\n".join("".join(f"\\{char}" if char in " \t\n'\"\\" else char for char in word) for word in words)

    assert response_words(text) == words


def test_a_response_file_may_quote() -> None:
    assert response_words("'a b' \"c 'd'\" e\\ f -DX=\"\\\"g\\\"\"\n''") == ["a b", "c 'd'", "e f", '-DX="g"', ""]


TREE = {"s/m.c": "#include <a.h>", "b/i/a.h": "", "i/a.h": "", "j/a.h": ""}
COMMANDS = {
    "ccache": "ccache /usr/bin/x86_64-linux-gnu-gcc-12 -Ii -c s/m.c",
    "launchers in a row": "env -u Y X=y nice -n 5 sccache distcc clang++ -Ii -c s/m.c",
    "assignment before": "X=y LANG=C cc -Ii -c s/m.c",
    "ninja's": ": && cc -Ii -c s/m.c -o m.o && :",
    "libtool": "/bin/sh ./libtool --tag=CC --mode=compile gcc -Ii -c s/m.c",
    "cmake": "cmake -E __run_co_compile --source=s/m.c -- /usr/bin/c++ -Ii -c s/m.c",
    "shell": ["/bin/sh", "-c", "mkdir -p o && cc -Ii -c s/m.c -o o/m.o"],
    "list": ["cc", "-I", "i", "-c", "s/m.c"],
    "after": "cd b && cd .. && cc -Ii -c s/m.c",
    "subshell goes elsewhere": "(cd b; true) && cc -Ii -c s/m.c",
    "search path before it": "CPATH=i cc -c s/m.c",
    "search path exported": "export CPATH=i; cc -c s/m.c",
    "search path by env": "env CPATH=i gcc -c s/m.c",
    "-isystem": "cc -isystem i -c s/m.c",
    "-isystem, joined": "cc -isystemi -c s/m.c",
    "out of the working folder": "cd b && cc -I../i -c ../s/m.c",
    "quoted": "'cc' \"-Ii\" -c 's/m.c' -DX='\"a;b\"'",
    "absolute": "/usr/bin/cc -I/p/i -c /p/s/m.c",
    "cl": "cl.exe /nologo /I i /DX=1 /Fom.obj /c s/m.c",
    "cl, joined": "/opt/msvc/bin/cl /Ii -Foj/ /showIncludes /c /p/s/m.c",
    "clang-cl": "clang-cl-14 -external:I i -MD /c /Tcs/m.c /link /I j",
    "clang-cl's own": "clang-cl -imsvc i -c -- s/m.c",
    "cl, by the environment": "INCLUDE='i;/usr/include' cl /c s/m.c",
    "cl, forced": "cl /FIi/a.h /X /c s/m.c",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_compile_is_found_in_its_command(name: str) -> None:
    found = scan(TREE, COMMANDS[name])

    assert found.paths == {"s/m.c", "i/a.h"}
    assert found.doubts == ()


def test_a_command_runs_where_it_was_sent() -> None:
    assert scan(TREE, "cd b && cc -Ii -c ../s/m.c").paths == {"s/m.c", "b/i/a.h"}
    assert scan(TREE, "cc -Ii -c ../s/m.c", cwd="b").paths == {"s/m.c", "b/i/a.h"}
    assert scan(TREE, "cd /p/b && cc -Ii -c ../s/m.c", cwd="s").paths == {"s/m.c", "b/i/a.h"}


def test_every_compile_of_a_command_counts() -> None:
    assert scan(TREE, "cc -Ii -c s/m.c && cc -Ij -c s/m.c").paths == {"s/m.c", "i/a.h", "j/a.h"}


def test_a_command_without_a_compile_reads_what_it_is_given() -> None:
    found = scan(TREE, "./generate s/m.c -Ii", sources=["j/a.h"])

    assert found.paths == {"s/m.c", "i/a.h", "j/a.h"}
    assert found.unresolved
