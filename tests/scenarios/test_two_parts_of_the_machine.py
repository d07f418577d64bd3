"""Sources in one part of the machine and the build folder in another, so that they meet in `/` alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

BUILD_FILE = """\
rule cc
  command = gcc -I{src}/include -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule run
  command = cd {build} && $cmd
build main.o: cc {src}/main.c
build copied: run {src}/text
  cmd = sed s/a/b/ {src}/text > copied
build joined: run | copied
  cmd = for one in {src}/parts/*; do cat "$$one" copied; done > joined
build latest: run | joined
  cmd = ln -sf {build}/joined latest
"""


@pytest.fixture
def src(tmp_path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        if tmp_path.parts[1] == "var":
            pytest.skip("tests run in /var themselves")
        place = Path(name)
        for path, text in {
            "main.c": '#include <stdio.h>\n#include "n.h"\nint main(void) { return N; }\n',
            "include/n.h": "#define N 1\n",
            "text": "a\n",
            "parts/1": "one\n",
        }.items():
            (place / path).parent.mkdir(exist_ok=True)
            (place / path).write_text(text)
        yield place


def test_they_build_as_with_ninja_and_follow_edits(src: Path, tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    for build in (pair.ninja, pair.windrow):
        (build / "build.ninja").write_text(BUILD_FILE.format(src=src, build=build))
        (build / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={src}\n")

    first = pair.by_windrow()
    assert first.code == 0, first.said
    assert pair.by_ninja().code == 0
    for name in ("main.o", "copied", "joined"):
        assert (pair.windrow / name).read_bytes() == (pair.ninja / name).read_bytes()
    assert (pair.windrow / "latest").readlink() == pair.windrow / "joined"
    for _ in range(2):
        assert pair.by_windrow().out == "ninja: no work to do.\n"

    (src / "include/n.h").write_text("#define N 2\n")
    assert pair.by_windrow().out == f"[1/1] gcc -I{src}/include -MD -MF main.o.d -c {src}/main.c -o main.o\n"
    (src / "parts/1").write_text("another\n")
    edited = pair.by_windrow()
    assert (edited.code, (pair.windrow / "joined").read_text()) == (0, "another\nb\n"), edited.said
    assert pair.by_windrow().out == "ninja: no work to do.\n"
