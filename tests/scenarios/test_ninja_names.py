"""Names that a tree may have though they mean something elsewhere: homes, drives, flags, what a shell would take apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import Console
from tests.scenarios.ninja_pair import Pair

NAMES = ("~in", "~/in", "~", "c:in", "C:/in", "sub/d:x", "a\\x2db.slice", "%in", "@in", "#in", "[in]", "{in}", "é in")


def _escaped(name: str) -> str:
    return name.replace("$", "$$").replace(":", "$:").replace(" ", "$ ")


def _build(names: tuple[str, ...]) -> str:
    rule = (
        "rule cat\n  command = cat $in > $out && echo '$out: $in' > $out.d && echo ran >> @LOG@\n  depfile = $out.d\n"
    )
    return rule + "".join(f"build {_escaped(name)}.out: cat {_escaped(name)}\n" for name in names)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    pair = Pair(tmp_path)
    # Quotes and colons mean something to a shell and in a depfile, which is the command's business.
    pair.write("build.ninja", _build((name,)).replace("'$out: $in'", "out:"))
    pair.write(name, "1\n")
    assert [one.ran for one in pair.both()] == [("ran",)] * 2
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    assert pair.by_windrow().ran == ()

    pair.write(name, "2\n")

    assert [one.ran for one in pair.both()] == [("ran",)] * 2
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
    for words in (("-t", "query", f"{name}.out"), ("-t", "targets", "all"), ("-t", "inputs"), ("-t", "compdb")):
        theirs, ours = pair.both(*words)
        assert ours.out.replace(str(pair.windrow), "") == theirs.out.replace(str(pair.ninja), "")


def test_other_commands_tell_of_them_and_a_second_checkout_finds_them(tmp_path: Path) -> None:
    for place in ("one", "two"):
        folder = tmp_path / place
        folder.mkdir()
        for name in NAMES[:1] + NAMES[3:4] + NAMES[6:7]:
            (folder / name).write_text("1\n")
        (folder / "build.ninja").write_text(
            _build(NAMES[:1] + NAMES[3:4] + NAMES[6:7]).replace(" && echo ran >> @LOG@", "")
        )
        (folder / "windrow.toml").write_text('[project]\nname = "x"\n\n[ninja]\nfile = "build.ninja"\n')
    console = Console(tmp_path / "one", tmp_path / "cache")

    assert console.run("build").code == 0
    assert "~in.out" in console.run("show").out
    for target in ("~in.out", "c:in.out", "a\\x2db.slice.out"):
        assert console.run("why", target).code == 0
    second = Console(tmp_path / "two", tmp_path / "cache").run("build", "--json")
    assert '"executed":0' in second.out.replace(" ", "")


def test_a_control_character_is_refused_in_words(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", "rule touch\n  command = touch '$out'\nbuild a\tb: touch\n".replace("\t", "\x07"))

    refused = pair.by_windrow()

    assert refused.code == 1
    assert "ninja: error: build.ninja:3: 'a\\x07b' cannot be a path of the build\n" in refused.err


def test_one_in_a_word_of_a_command_is_the_commands_business(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write("build.ninja", "rule echo\n  command = echo \x1b[31mred \x07/x > $out\nbuild a: echo\n")

    assert [one.code for one in pair.both()] == [0, 0]
    assert pair.tree(pair.windrow) == pair.tree(pair.ninja)
