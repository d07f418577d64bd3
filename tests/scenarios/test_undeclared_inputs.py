"""A command that needs a file its rule does not name: repeated with it, once, and held to it from then on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.summary import lines
from tests.scenarios.real_workspace import RealWorkspace

SCRIPT = """\
[project]
name = "{name}"

[[rule]]
name = "gen"
each = "*.in"
command = ". tools/settings.sh; cat ./tools/$NAME {{in}} > {{out}}"
outputs = ["{{stem}}.out"]
"""

C = """\
[project]
name = "c"

[[rule]]
name = "cc"
each = "src/*.c"
command = ["gcc", "-Iinclude", "-MMD", "-MF", "{depfile}", "-c", "{in}", "-o", "{out}"]
outputs = ["build/{stem}.o"]
depfile = "build/{stem}.d"
"""


@pytest.fixture
def space(tmp_path: Path) -> RealWorkspace:
    return RealWorkspace(tmp_path / "tree")


def test_a_file_the_command_asks_for_is_given_and_becomes_an_input(space: RealWorkspace) -> None:
    space.write(
        "windrow.toml", SCRIPT.format(name="w").replace("$NAME", "head.txt").replace(". tools/settings.sh; ", "")
    )
    space.write("tools/head.txt", "one\n")
    space.write("a.in", "body\n")

    assert space.build().status == "ok"
    assert space.read("a.out") == "one\nbody\n"
    assert space.manifest().jobs["gen:a.out"].inputs == ("a.in", "tools/head.txt") or space.manifest().jobs[
        "gen:a.out"
    ].trace.used == ("tools/head.txt",)

    space.write("tools/head.txt", "two\n")
    assert space.build().executed == 1
    assert space.read("a.out") == "two\nbody\n"
    assert space.build().status == "no-changes"


def test_a_file_asked_for_only_at_run_time_is_found_again_by_another_project(
    space: RealWorkspace, tmp_path: Path
) -> None:
    text = '[project]\nname = "{name}"\n[[rule]]\nname = "gen"\neach = "*.in"\noutputs = ["{{stem}}.out"]\n'
    text += "command = 'cat \"$(printf tools/%s head.txt)\" {{in}} > {{out}}'\n"
    other = RealWorkspace(tmp_path / "other", cache=space.cache)
    for place, name in ((space, "one"), (other, "two")):
        place.write("windrow.toml", text.format(name=name))
        place.write("tools/head.txt", "one\n")
        place.write("a.in", "body\n")

    first = space.build()
    second = other.build()

    assert (first.executed, first.repeated, first.as_json()["repeated"], second.repeated) == (1, 1, 1, 0)
    assert "1 job run again for files not given at first; the warnings above name them" in lines(first)
    assert space.observer.warnings == ["gen:a.out: repeated with tools/head.txt, which its rule does not name"]
    assert (second.executed, second.reused) == (0, {"local": 1})
    assert space.manifest().jobs["gen:a.out"].trace.used == ("tools/head.txt",)
    space.write("tools/head.txt", "two\n")
    assert space.build().executed == 1
    assert space.read("a.out") == "two\nbody\n"


def test_headers_no_rule_names_are_found_and_followed(space: RealWorkspace) -> None:
    space.write("windrow.toml", C)
    space.write("src/a.c", '#include "a.h"\nint a(void) { return A; }\n')
    space.write("src/b.c", "int b;\n")
    space.write("include/a.h", '#include "deep/b.h"\n#define A B\n')
    space.write("include/deep/b.h", "#define B 1\n")
    space.write("include/unrelated.h", "")

    assert space.build().executed == 2
    assert space.manifest().jobs["cc:build/a.o"].trace.used == ("include/a.h", "include/deep/b.h")

    space.write("include/deep/b.h", "#define B 2\n")
    assert space.build().executed == 1
    space.write("include/unrelated.h", "int x;\n")
    assert space.build().planned == 0


def test_a_file_that_is_nowhere_fails_the_job_once(space: RealWorkspace) -> None:
    space.write("windrow.toml", C)
    space.write("src/a.c", '#include "nowhere.h"\n')

    report = space.build()

    assert (report.status, report.failed) == ("failed", 1)
    assert "nowhere.h" in report.failures[0].output


def test_a_file_that_an_output_replaces_is_kept(space: RealWorkspace) -> None:
    space.write(
        "windrow.toml",
        '[project]\nname = "w"\n[[rule]]\nname = "r"\ncommand = "echo made > {out}"\noutputs = ["notes.txt"]\n',
    )
    space.write("notes.txt", "mine\n")

    space.build()

    (warning,) = space.observer.warnings
    kept = Path(warning.rpartition(" ")[2])
    assert (space.read("notes.txt"), kept.read_text()) == ("made\n", "mine\n")
    assert (space.root / ".windrow/.gitignore").read_text() == "*\n"
