"""Depfiles as tools write them, and what they mean in a tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.depfile import dependencies, located, reads

GOLDEN = {
    "gcc": ("a.o: a.c a.h\n", ("a.c", "a.h")),
    "continued": ("a.o: a.c \\\n  b/c.h \\\n /usr/include/x.h\n", ("a.c", "b/c.h", "/usr/include/x.h")),
    "continued before the first": ("a.o:\\\n b.h", ("b.h",)),
    "carriage returns": ("a.o: b.c\r\nc.o: d \\\r\n e\r\n", ("b.c", "d", "e")),
    "phony headers": ("a.o: a.c x.h\n\nx.h:\n", ("a.c", "x.h")),
    "several targets": ("a.o a.d sub/b : a.c\n", ("a.c",)),
    "blanks": ("a.o: x\\ y.c z\\ \\ w.h\n", ("x y.c", "z  w.h")),
    "hash": ("a.o: \\#x a\\#b a#c\n", ("#x", "a#b", "a#c")),
    "dollar": ("a.o: a$$b $$ $(x)\n", ("a$b", "$", "$(x)")),
    "colon": ("a.o: e\\:f g:h\n", ("e:f", "g:h")),
    "colon in a target": ("a\\:b.o: c\n", ("c",)),
    "drives": ("c:/out/a.o: c:/x/y.h C:\\z\\w.h\n", ("c:/x/y.h", "C:\\z\\w.h")),
    "drive and backslash": ("C:\\out\\a.o: b\n", ("b",)),
    "one-letter target": ("a: b\n", ("b",)),
    "no blank after the colon": ("a.o:b.c c.h\n", ("b.c", "c.h")),
    "two colons": ("a.o:: b.c\n", ("b.c",)),
    "backslashes": ("a.o: x\\\\ y a\\b \\\\host\\s\\\\\\ t\n", ("x\\\\", "y", "a\\b", "\\\\host\\s\\ t")),
    "rustc": ("l.rlib: src/a.rs src/b.rs\n\nsrc/a.rs:\n# env-dep:CARGO=x\n", ("src/a.rs", "src/b.rs")),
    "no line end": ("a.o: b.c", ("b.c",)),
    "repeated": ("a.o: b.h b.h\nc.o: b.h\n", ("b.h",)),
    "tabs": ("a.o:\tb.c\t\tc.h\t\n", ("b.c", "c.h")),
    "odd blanks": ("a.o: a\u00a0b.h \\\n c\u3000d.h\n", ("a\u00a0b.h", "c\u3000d.h")),
    "empty": ("", ()),
    "nothing read": ("a.o:\n", ()),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_depfiles_read_as_written(name: str) -> None:
    text, expected = GOLDEN[name]

    assert dependencies(text) == expected


def escaped(path: str) -> str:
    """As gcc writes a name: backslashes before a blank or hash doubled, then those escaped, dollars doubled."""
    out: list[str] = []
    for at, char in enumerate(path):
        if char in " \t":
            before = len(path[:at]) - len(path[:at].rstrip("\\"))
            out.append("\\" * before + "\\" + char)
        elif char == "#":
            out.append("\\#")
        elif char == "$":
            out.append("$$")
        else:
            out.append(char)
    return "".join(out)


NAMES = st.text(st.sampled_from("ab/.-+ #$é"), min_size=1, max_size=12).filter(lambda n: n.strip() == n)


@given(st.lists(NAMES, max_size=6), st.booleans())
@example(["a b", "#", "$$", "a#b$c d"], True)
def test_reading_undoes_writing(names: list[str], one_a_line: bool) -> None:
    joint = " \\\n " if one_a_line else " "
    text = "out/a.o: " + joint.join(escaped(name) for name in names) + "\n"

    assert dependencies(text) == tuple(dict.fromkeys(names))


@given(st.text(max_size=80), st.dictionaries(st.text("ab/.", max_size=5), st.text("ab/.", max_size=5), max_size=3))
def test_no_text_breaks_the_reader_or_leads_outside(text: str, links: dict[str, str]) -> None:
    for path in reads(text, ("/tree",), links).inside:
        assert not path.startswith(("/", "../"))
        assert ".." not in path.split("/")


def test_paths_are_told_apart_by_the_tree_they_lie_in() -> None:
    text = "o: ./a/../b.h x//y.h /t/tree/sub/c.h /t/treeish/d.h /usr/include/e.h ../f.h /proc/self/cwd/g.h a/../../h . ..\n"

    found = reads(text, ("/t/tree",))

    assert found.inside == {"b.h", "x/y.h", "sub/c.h", "g.h"}
    assert found.outside == {"/t/treeish/d.h", "/usr/include/e.h", "../f.h", "a/../../h", ".", ".."}


def test_what_lies_in_no_folder_of_the_project_is_outside_where_the_root_is_that_of_the_machine() -> None:
    named = ["/src/app/a.h", "/usr/include/stdio.h", "x.h", "../src/app/b.h", "../etc/z"]

    found = located(named, ("/tmp/box", "/"), cwd="build", folders=("build", "src/app"))

    assert found.inside == {"src/app/a.h", "build/x.h", "src/app/b.h"}
    assert found.outside == {"/usr/include/stdio.h", "/etc/z"}


def test_a_path_through_symlinks_stands_for_all_of_them() -> None:
    links = {"inc": "real", "real/x.h": "../other/y.h", "loop": "loop"}

    found = reads("o: inc/x.h real/../inc/z.h loop/a", ("/t",), links)

    assert found.inside >= {"inc", "real/x.h", "other/y.h", "real/z.h"}
    assert "inc/x.h" not in found.inside


@pytest.mark.parametrize("flags", [["-MMD"], ["-MD"], ["-MMD", "-MP"]])
def test_gcc_is_understood_with_odd_names(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "odd dir").mkdir()
    for name in ("odd dir/a b.h", "x$y.h", "h#h.h", "sub.h"):
        (tmp_path / name).write_text("int x;\n" if name == "sub.h" else "")
    (tmp_path / "m.c").write_text(
        '#include "odd dir/a b.h"\n#include "x$y.h"\n#include "h#h.h"\n#include "./odd dir/../sub.h"\n'
    )

    subprocess.run(["gcc", *flags, "-MF", "m.d", "-c", "m.c", "-o", "m.o"], cwd=tmp_path, check=True)

    found = reads((tmp_path / "m.d").read_text(), (str(tmp_path),))
    assert found.inside == {"m.c", "odd dir/a b.h", "x$y.h", "h#h.h", "sub.h"}
    assert all(path.startswith("/usr/") for path in found.outside)
