"""Headers outside the tree that depfiles name: they count for keys and for what must run, as the tree's own do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.ninja_pair import Pair

BUILD = """\
rule cc
  command = echo $tag >> @LOG@; gcc -isystem {system} -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
build one.o: cc one.c
  tag = one
build two.o: cc two.c
  tag = two
build three.o: cc three.c
  tag = three
"""


@pytest.fixture
def system(tmp_path: Path) -> Path:
    folder = tmp_path / "usr/include"
    folder.mkdir(parents=True)
    (folder / "foo.h").write_text("#define FOO 1\n")
    (folder / "bar.h").write_text("#define BAR 1\n")
    return folder


@pytest.fixture
def pair(tmp_path: Path, system: Path) -> Pair:
    pair = Pair(tmp_path)
    pair.write("build.ninja", BUILD.format(system=system))
    pair.write("one.c", "#include <foo.h>\nint one = FOO;\n")
    pair.write("two.c", "#include <foo.h>\n#include <bar.h>\nint two = FOO + BAR;\n")
    pair.write("three.c", "int three = 3;\n")
    assert pair.by_windrow().ran == ("one", "three", "two") == pair.by_ninja().ran
    return pair


def test_an_edited_header_outside_the_tree_runs_its_users(pair: Pair, system: Path) -> None:
    (system / "bar.h").write_text("#define BAR 22\n")
    explained = pair.by_windrow("-n", "-d", "explain")
    ninja, windrow = pair.both()

    assert windrow.ran == ninja.ran == ("two",)
    assert f"{system}/bar.h changed" in explained.err
    assert pair.tree(pair.windrow)["two.o"] == pair.tree(pair.ninja)["two.o"]
    assert pair.by_windrow().out == "ninja: no work to do.\n"


def test_it_is_noticed_by_a_build_that_was_at_rest(pair: Pair, system: Path) -> None:
    for _ in range(3):
        assert pair.by_windrow().out == "ninja: no work to do.\n"
    if not (pair.windrow / ".windrow/rest").exists():
        pytest.skip("this file system cannot tell when nothing changes any more")

    (system / "foo.h").write_text("#define FOO 22\n")

    assert pair.by_windrow().ran == ("one", "two")


def test_what_only_differs_in_its_times_runs_nothing(pair: Pair, system: Path) -> None:
    os.utime(system / "foo.h")
    assert pair.by_windrow().out == "ninja: no work to do.\n"


def test_a_header_that_went_runs_its_users(pair: Pair, system: Path) -> None:
    (system / "bar.h").unlink()

    explained = pair.by_windrow("-n", "-d", "explain")
    built = pair.by_windrow()

    assert f"{system}/bar.h is no longer an input" in explained.err
    assert built.code == 1 and "bar.h" in built.out, built.said


def test_a_result_counts_only_where_the_headers_are_the_same(pair: Pair, system: Path) -> None:
    before = (system / "foo.h").read_text()
    (system / "foo.h").write_text("#define FOO 33\n")
    other = pair.by_windrow(folder=pair.ninja)
    (system / "foo.h").write_text(before)
    shutil.rmtree(pair.ninja / ".windrow")

    back = pair.by_windrow(folder=pair.ninja)

    assert other.ran == ("one", "two"), "its cache knows three, and one and two of another foo.h"
    assert back.ran == (), back.said


def test_a_project_of_its_own_rules_notices_it_too(tmp_path: Path, system: Path) -> None:
    root = tmp_path / "declared"
    root.mkdir()
    (root / "windrow.toml").write_text(
        '[project]\nname = "x"\n[[rule]]\nname = "cc"\neach = "*.c"\n'
        f'command = ["gcc", "-isystem", "{system}", "-MD", "-MF", "{{depfile}}", "-c", "{{in}}", "-o", "{{out}}"]\n'
        'outputs = ["{stem}.o"]\ndepfile = "{stem}.d"\n'
    )
    (root / "one.c").write_text("#include <foo.h>\nint one = FOO;\n")
    (root / "three.c").write_text("int three = 3;\n")
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "cache")}

    def windrow(*words: str) -> str:
        command = [sys.executable, "-c", "import windrow; windrow.main()", *words]
        done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(windrow("build", "--json"))["executed"] == 2
    (system / "foo.h").write_text("#define FOO 22\n")
    assert f"{system}/foo.h changed" in windrow("why", "one.o")
    assert json.loads(windrow("build", "--json"))["executed"] == 1
    assert json.loads(windrow("build", "--json"))["status"] == "no-changes"
