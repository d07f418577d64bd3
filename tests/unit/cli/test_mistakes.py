"""What a person may get wrong: each is told in a few lines that name the place, with an exit code, and nothing happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.console import Console

PROJECT = '[project]\nname = "demo"\n'


def rule(**keys: object) -> str:
    """A rule that upper-cases every text file, with other keys; None takes one out."""
    told = {"name": "up", "each": "*.txt", "command": "tr a-z A-Z < {in} > {out}", "outputs": ["out/{stem}"], **keys}
    return "\n[[rule]]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in told.items() if value is not None
    )


class Mistake(NamedTuple):
    """What is in windrow.toml, what is typed, and what must be said about it."""

    settings: str | bytes | None
    words: tuple[str, ...]
    code: int
    error: str
    says: tuple[str, ...]
    env: dict[str, str] = {}


BUILD = ("build",)
FINE = PROJECT + rule()

MISTAKES = {
    "no project": Mistake(None, BUILD, 2, "W0101", ("no windrow.toml in", "fix: windrow init makes one")),
    "broken TOML": Mistake("[project\nname =", BUILD, 2, "W0102", ("at: windrow.toml:1:",)),
    "no UTF-8": Mistake(b"[project]\n# \xff\n", BUILD, 2, "W0102", ("at: windrow.toml:2", "byte 0xff")),
    "unknown table": Mistake(PROJECT + "[bild]\n", BUILD, 2, "W0102", ("windrow.toml:3:1", "did you mean `build`?")),
    "unknown key": Mistake(
        PROJECT + "[build]\njbos = 1\n", BUILD, 2, "W0102", ("windrow.toml:4:1", "did you mean `jobs`?")
    ),
    "wrong type": Mistake(
        PROJECT + '[build]\njobs = "many"\n', BUILD, 2, "W0102", ("windrow.toml:4:1", "a whole number")
    ),
    "no name": Mistake(
        "[build]\njobs = 1\n", BUILD, 2, "W0102", ("the project has no name", '[project] name = "hello"')
    ),
    "name that is none": Mistake('[project]\nname = "My Film"\n', BUILD, 2, "W0102", ("windrow.toml:2:1", "'My Film'")),
    "no outputs": Mistake(
        PROJECT + rule(outputs=[]), BUILD, 2, "W0201", ("windrow.toml:4", "rule 'up' has no outputs")
    ),
    "no command": Mistake(PROJECT + rule(command=None), BUILD, 2, "W0102", ("windrow.toml:4", "`command`")),
    "one name twice": Mistake(FINE + rule(outputs=["b"]), BUILD, 2, "W0201", ("windrow.toml:10", "windrow.toml:4")),
    "one output twice": Mistake(
        FINE + rule(name="v"), BUILD, 2, "W0201", ("out/a", "windrow.toml:4", "windrow.toml:10")
    ),
    "a cycle": Mistake(
        PROJECT + rule(each=None, inputs=["b"], outputs=["a"]) + rule(name="v", each=None, inputs=["a"], outputs=["b"]),
        BUILD,
        2,
        "W0202",
        ("a needs b needs a", "windrow.toml:4"),
    ),
    "its own output": Mistake(
        PROJECT + rule(each=None, inputs=["a"], outputs=["a"]), BUILD, 2, "W0201", ("windrow.toml:4",)
    ),
    "missing input": Mistake(PROJECT + rule(inputs=["b.txt"]), BUILD, 2, "W0201", ("missing input b.txt", "a.txt?")),
    "way out of the tree": Mistake(
        PROJECT + rule(outputs=["../{stem}"]), BUILD, 2, "W0201", ("'../a'", "out of the tree")
    ),
    "absolute output": Mistake(PROJECT + rule(outputs=["/tmp/{stem}"]), BUILD, 2, "W0201", ("'/tmp/a'", "absolute")),
    "control character": Mistake(PROJECT + rule(outputs=["a\u0007b"]), BUILD, 2, "W0201", ("a control character",)),
    "unknown placeholder": Mistake(
        PROJECT + rule(command="cp {inn} {out}"), BUILD, 2, "W0201", ("{inn}", "windrow.toml:4")
    ),
    "unknown rule": Mistake(PROJECT + rule(inputs=["rule:upp"]), BUILD, 2, "W0201", ("unknown rule 'upp'",)),
    "bad pattern": Mistake(PROJECT + rule(each="[a.txt"), BUILD, 2, "W0102", ("'[' is not closed", "windrow.toml:6:1")),
    "output that is a folder": Mistake(
        PROJECT + rule(outputs=["docs"]), BUILD, 2, "W0201", ("a folder that holds sources",)
    ),
    "ninja": Mistake(
        PROJECT + '[ninja]\nfile = "build.ninja"\n', BUILD, 2, "W0102", ("build.ninja is not there", "cmake -S")
    ),
    "a secret among the settings": Mistake(
        PROJECT + '[storage]\nurl = "s3://AKIAX:hush@bucket/p"\n', BUILD, 2, "W0102", ("AWS_ACCESS_KEY_ID",)
    ),
    "a bucket of another kind": Mistake(
        PROJECT + '[storage]\nurl = "gs://b/p"\n', BUILD, 2, "W0102", ("s3:// or file://",)
    ),
    "a broker of another kind": Mistake(PROJECT + '[farm]\nbroker = "amqp://h"\n', BUILD, 2, "W0102", ("redis://",)),
    "a variable": Mistake(FINE, BUILD, 2, "W0102", ("WINDROW_JOBS", "a whole number"), {"WINDROW_JOBS": "many"}),
    "a variable with one underscore": Mistake(
        FINE, BUILD, 2, "W0102", ("did you mean `WINDROW_STORAGE__URL`?",), {"WINDROW_STORAGE_URL": "file:///x"}
    ),
    "a name that init may not write": Mistake(None, ("init", "--name", "My App"), 2, "W0100", ("'my-app' would do",)),
    "a wait that is never over": Mistake(FINE, ("build", "--wait=nan"), 2, "W0100", ("--wait", "'nan'")),
    "a window of no length": Mistake(FINE, ("cache", "gc", "--window", "-1"), 2, "W0100", ("--window",)),
    "a window that is no number": Mistake(FINE, ("cache", "gc", "--window", "nan"), 2, "W0100", ("--window",)),
    "an unknown variable": Mistake(FINE, BUILD, 2, "W0102", ("WINDROW_BUILD__JOBS",), {"WINDROW_BUILD__JBOS": "1"}),
    "unknown target": Mistake(FINE, ("build", "out/aa"), 4, "W0401", ("no target 'out/aa'", "did you mean out/a?")),
    "unknown target to explain": Mistake(FINE, ("why", "out/aa"), 4, "W0401", ("did you mean out/a?",)),
    "unknown command": Mistake(FINE, ("biuld",), 2, "W0100", ("'biuld'", "Did you mean 'build'?")),
    "unknown option": Mistake(FINE, ("build", "--fast"), 2, "W0100", ("'--fast'", "`windrow build --help`")),
    "no jobs": Mistake(FINE, ("build", "-j", "0"), 2, "W0100", ("'--jobs'",)),
    "a wait that is no number": Mistake(FINE, ("build", "--wait=soon"), 2, "W0100", ("--wait", "'soon'")),
    "no such folder": Mistake(FINE, ("-C", "nowhere", "build"), 2, "W0100", ("nowhere is not a directory",)),
    "a branch that is none": Mistake(FINE, ("build", "--branch", "../x"), 2, "W0102", ("'../x'", "--branch")),
    "contradiction": Mistake(FINE, ("build", "--full", "--incremental"), 2, "W0100", ("--full and --incremental",)),
    "no range": Mistake(FINE, ("diff", "1-2"), 2, "W0100", ("'1-2' is no range",)),
    "no revision": Mistake(FINE, ("show", "--revision", "one"), 2, "W0100", ("write rev-0003 or 3",)),
    "a revision that is not there": Mistake(FINE, ("show", "--revision", "3"), 2, "W0100", ("there is no revision 3",)),
    "a file that is not there": Mistake(
        FINE, ("events", "append", "--type", "input", "--file", "nix.json"), 36, "W3600", ("nix.json",)
    ),
    "a tool that is not there": Mistake(
        PROJECT + '[toolchain]\ntools = ["no-such-tool"]\n' + rule(), BUILD, 36, "W3603", ("install no-such-tool",)
    ),
    "a cache that is no folder": Mistake(FINE, BUILD, 36, "W3600", ("/dev/null",), {"WINDROW_CACHE_DIR": "/dev/null"}),
    "a farm's folder that is none": Mistake(FINE, ("farm", "up", "--dir", "a.txt"), 36, "W3600", ("a.txt",)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_a_few_lines(tmp_path: Path, name: str) -> None:
    mistake = MISTAKES[name]
    tree = tmp_path / "tree"
    (tree / "docs").mkdir(parents=True)
    (tree / "docs/about.md").write_text("about\n")
    (tree / "a.txt").write_text("a\n")
    if mistake.settings is not None:
        data = mistake.settings
        (tree / "windrow.toml").write_bytes(data if isinstance(data, bytes) else data.encode())
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}

    said = Console(tree, tmp_path / "cache").run(*mistake.words, env=mistake.env)

    assert said.code == mistake.code, said
    assert said.out == ""
    assert said.err.startswith(f"error[{mistake.error}]: ")
    assert said.err.count("error[") == 1
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) <= 4
    for words in mistake.says:
        assert words in said.err
    assert {
        path: path.read_bytes() for path in tree.rglob("*") if path.is_file() and ".windrow" not in path.parts
    } == before


def test_no_words_at_all_are_answered_with_help(tmp_path: Path) -> None:
    said = Console(tmp_path, tmp_path / "cache").run()

    assert said.code == 2
    assert said.err.startswith("Usage: windrow")
    assert "error[" not in said.err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """As in `windrow graph | head -0`."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/windrow.toml").write_text(FINE)
    for number in range(3000):
        (tmp_path / f"tree/{number}.txt").touch()

    assert unread(Console(tmp_path / "tree", tmp_path / "cache"), "graph", "--json") == (0, "")


@pytest.mark.parametrize("words", [["build", "--json"], ["build", "--diff"], ["--help"]], ids=" ".join)
def test_the_exit_code_tells_what_nobody_reads(tmp_path: Path, words: list[str]) -> None:
    """A failed build is not taken for a good one because its reader went away."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/windrow.toml").write_text(PROJECT + rule(command="echo no; exit 3"))
    (tmp_path / "tree/a.txt").touch()

    code, err = unread(Console(tmp_path / "tree", tmp_path / "cache"), *words)

    assert code == (0 if words == ["--help"] else 1)
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def unread(console: Console, *words: str) -> tuple[int, str]:
    """Exit code and stderr of a command whose stdout nobody reads."""
    with console.start(*words) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        return process.wait(60), err
