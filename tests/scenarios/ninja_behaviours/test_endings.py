"""How commands end that were ended, and edges that nobody can take in: as with the real ninja."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import Console
from tests.scenarios.ninja_behaviours.comparison import same
from tests.scenarios.ninja_pair import Pair

TWO = """\
rule r
  command = $c
build a: r
  c = {}
build b: r a
  c = touch b
"""


@pytest.mark.parametrize(
    ("command", "pool", "words"),
    [
        ("kill -INT $$$$", "", ()),
        ("kill -TERM $$$$", "", ("-k", "0")),
        ("kill -HUP $$$$", "", ()),
        ("echo hi; sh -c 'kill -INT $$$$'", "", ("-k", "0")),
        ("kill -INT $$$$", "console", ()),
        ("sh -c 'kill -INT $$$$'", "console", ()),
    ],
)
def test_a_command_that_somebody_ended_ends_the_build(
    pair: Pair, command: str, pool: str, words: tuple[str, ...]
) -> None:
    pair.write("build.ninja", TWO.format(command).replace("build b", f"  pool = {pool}\nbuild b"))

    ended = same(pair, *words, code=130)

    assert ended.out.endswith("ninja: build stopped: interrupted by user.\n")
    assert "FAILED" not in ended.out


@pytest.mark.parametrize(("command", "code"), [("kill -KILL $$$$", 137), ("exit 143", 143), ("exit 129", 129)])
def test_one_that_ended_otherwise_has_failed(pair: Pair, command: str, code: int) -> None:
    pair.write("build.ninja", TWO.format(command))

    assert f"FAILED: [code={code}] a" in same(pair, code=code).out


def test_so_it_is_with_what_makes_the_build_file(pair: Pair) -> None:
    pair.write("build.ninja", "rule g\n  command = kill -INT $$$$\n  generator = 1\nbuild build.ninja: g in\n")
    pair.write("in", "newer\n")

    theirs, ours = pair.both()

    assert (ours.code, ours.err) == (theirs.code, theirs.err)
    assert ours.err == "ninja: error: rebuilding 'build.ninja': interrupted by user\n"


@pytest.mark.parametrize(
    ("deps", "told"),
    [
        ("foo\n  depfile = $out.d", "unknown deps type 'foo'"),
        ("gcc\n  depfile =", "edge with deps=gcc but no depfile makes no sense"),
    ],
)
def test_deps_that_cannot_be_are_an_error_of_who_needs_the_edge(pair: Pair, deps: str, told: str) -> None:
    rule = f"rule r\n  command = touch $out\n  deps = {deps}\nrule ok\n  command = touch $out\n"
    pair.write("build.ninja", rule + "build a: r\nbuild b: ok\ndefault b\n")
    assert same(pair).code == 0

    theirs, ours = pair.both("a")

    assert (ours.code, told in theirs.said) == (theirs.code, True)
    assert f"ninja: error: build.ninja:7: {told}\n" in ours.err
    assert "  fix: say `deps = gcc`" in ours.err
    assert not (pair.windrow / "a").exists()


def test_windrow_build_says_whose_command_it_was(tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text(TWO.format("kill -TERM $$$$"))
    (tmp_path / "windrow.toml").write_text('[project]\nname = "x"\n\n[ninja]\nfile = "build.ninja"\n')

    ended = Console(tmp_path, tmp_path / "cache").run("build")

    assert ended.code == 130
    assert "  at: build.ninja:3\n  why: the command of r:a was killed by SIGTERM\n" in ended.err
