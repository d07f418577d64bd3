"""Every exit code of the reference, reached by the real command; and how an error is told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from cli import render
from shared import errors
from shared.errors import WindrowError
from tests.console import Console, Said, ended
from tests.traps.arena import Gate

ROOT = Path(__file__).resolve().parents[3]
RULE = """\
[project]
name = "codes"

[[rule]]
name = "copy"
each = "*.txt"
command = '''{gate}
! grep bad {{in}} && cp {{in}} {{out}}'''
outputs = ["out/{{stem}}"]
"""
ERROR = re.compile(
    r"error\[(?P<code>W\d{4})\]: (?P<what>.+)\n( {3}at: .+\n)?( {2}why: .+\n)?( {2}fix: .+\n)?\Z", re.MULTILINE
)


class Codes(Console):
    """A project whose jobs can be made to wait, or to fail. `flags` are added to every command."""

    flags: tuple[str, ...] = ()

    def __init__(self, root: Path) -> None:
        super().__init__(root / "tree", root / "cache", TMPDIR=str(root))
        self.gate = Gate(root / "gate")
        self.folder.mkdir()
        (self.folder / "windrow.toml").write_text(
            RULE.format(gate=self.gate.command.replace("{", "{{").replace("}", "}}"))
        )
        self.put("fine\n")

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        return super().start(*words, *self.flags, env=env, before=before)

    def put(self, text: str) -> None:
        (self.folder / "a.txt").write_text(text)

    def while_it_runs(self, do: Callable[[int], object], *words: str) -> Said:
        """Start a build, do something to it (by its pid) while its job waits, and let it end."""
        self.gate.shut()
        process = self.start("build", *words)
        self.gate.await_step()
        do(process.pid)
        self.gate.open()
        return ended(process)


@pytest.fixture
def codes(tmp_path: Path) -> Iterator[Codes]:
    codes = Codes(tmp_path)
    yield codes
    codes.gate.path.unlink(missing_ok=True)


def ok(codes: Codes) -> Said:
    return codes.run("build")


def failed(codes: Codes) -> Said:
    codes.put("bad\n")
    return codes.run("build")


def usage(codes: Codes) -> Said:
    return codes.run("build", "--full", "--incremental")


def failing_tests(codes: Codes) -> Said:
    (codes.folder / "test_it.py").write_text("def test_it():\n    assert False\n")
    with (codes.folder / "windrow.toml").open("a") as file:
        file.write(f'\n[tests]\npython = "{sys.executable}"\n')
    return codes.run("test")


def nothing_matched(codes: Codes) -> Said:
    return codes.run("build", "out/nothing")


def lock_held(codes: Codes) -> Said:
    held: list[Said] = []
    codes.while_it_runs(lambda _: held.append(codes.run("build")))
    return held[0]


def differences(codes: Codes) -> Said:
    return codes.run("build", "--check")


def conflict(codes: Codes) -> Said:
    """The pointer is swapped without the lock."""
    codes.run("build")
    codes.put("other\n")
    pointer = codes.cache / "store/projects/codes/main/current.json"
    return codes.while_it_runs(lambda _: pointer.write_text(pointer.read_text().replace("T", "t", 1)))


def farm(codes: Codes) -> Said:
    with (codes.folder / "windrow.toml").open("a") as file:
        file.write('\n[farm]\nbroker = "redis://127.0.0.1:1/0"\nbroker_patience = 0.1\n')
    return codes.run("build")


def local(codes: Codes) -> Said:
    with (codes.folder / "windrow.toml").open("a") as file:
        file.write('\n[toolchain]\ntools = ["no-such-tool"]\n')
    return codes.run("build")


def bug(codes: Codes) -> Said:
    """The standard library is broken under our feet."""
    (codes.cache / "site").mkdir(parents=True)
    (codes.cache / "site/sitecustomize.py").write_text("import time\ntime.monotonic = lambda: 1 / 0\n")
    return codes.run("build", env={"PYTHONPATH": str(codes.cache / "site")})


def time_limit(codes: Codes) -> Said:
    codes.gate.shut()
    return codes.run("build", "--timeout", "0.3")


def interrupted(codes: Codes) -> Said:
    codes.gate.shut()
    process = codes.start("build")
    codes.gate.await_step()
    os.kill(process.pid, signal.SIGINT)
    return ended(process)


TABLE: dict[int, tuple[Callable[[Codes], Said], str]] = {
    0: (ok, ""),
    1: (failed, ""),
    2: (usage, "W0100"),
    3: (failing_tests, ""),
    4: (nothing_matched, "W0401"),
    9: (lock_held, "W0901"),
    10: (differences, ""),
    11: (conflict, "W1101"),
    32: (farm, "W3202"),
    36: (local, "W3603"),
    37: (bug, "W3700"),
    124: (time_limit, "W1240"),
    130: (interrupted, "W1300"),
}


@pytest.mark.parametrize("code", TABLE)
def test_every_exit_code_is_reached_by_a_real_command(codes: Codes, code: int) -> None:
    reach, error = TABLE[code]

    said = reach(codes)

    assert said.code == code, said
    assert "Traceback" not in said.err
    found = re.findall(r"^error\[(W\d{4})\]", said.err, re.MULTILINE)
    assert found == ([error] if error else [])


def test_these_are_the_exit_codes_of_the_reference() -> None:
    text = (ROOT / "docs/reference/cli.md").read_text()
    section = text.partition("## Exit codes")[2].partition("\n## ")[0]

    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == set(TABLE)


def test_a_suite_that_a_script_started_in_the_background_can_interrupt_its_builds() -> None:
    name = f"{test_every_exit_code_is_reached_by_a_real_command.__name__}[130]"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{Path(__file__)}::{name}"]

    ran = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout


def test_a_killed_or_failed_build_holds_no_lock_afterwards(codes: Codes) -> None:
    for reach in (failed, interrupted):
        reach(codes)
        codes.gate.path.unlink(missing_ok=True)

        assert codes.run("lock", "show").code == 0


def test_a_bug_leaves_a_report_that_the_message_names(codes: Codes) -> None:
    said = bug(codes)

    (path,) = re.findall(r"why: the details are in (\S+)", said.err)
    assert "ZeroDivisionError" in said.err
    assert "Traceback" in Path(path).read_text()


# -- the form -------------------------------------------------------------------------------------------


def _errors(kind: type[WindrowError]) -> Iterator[type[WindrowError]]:
    yield kind
    for other in kind.__subclasses__():
        yield from _errors(other)


def test_an_error_says_what_where_why_and_how_to_mend_it() -> None:
    error = errors.ConfigError(
        "unknown key `jbs`", at="windrow.toml:3:1", why="known are: jobs", fix="did you mean `jobs`?"
    )

    assert render.error_text(error) == (
        "error[W0102]: unknown key `jbs`\n   at: windrow.toml:3:1\n  why: known are: jobs\n  fix: did you mean `jobs`?"
    )
    assert render.error_text(errors.ConfigError("short")) == "error[W0102]: short"


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in _errors(WindrowError) if "code" in vars(kind)]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("code", [2, 4, 9, 11, 32, 36, 37, 124])
def test_text_and_json_tell_the_same(codes: Codes, code: int) -> None:
    codes.flags = ("--json",)

    said = TABLE[code][0](codes)

    printed = said.json()
    error = printed["error"]
    match = ERROR.search(said.err)
    assert said.code == code
    assert printed["schema"] == "windrow.error/1"
    assert match is not None, said.err
    assert (match["code"], match["what"]) == (error["code"], error["what"])
    for name in ("at", "why", "fix"):
        assert (f"  {name:>3}: {error[name]}\n" in said.err) if name in error else f"  {name:>3}: " not in said.err


def test_an_interrupted_build_tells_what_it_did(codes: Codes) -> None:
    (codes.folder / "b.txt").write_text("bad\n")
    rules = codes.folder / "windrow.toml"
    # The job of a.txt waits; that of b.txt fails meanwhile.
    rules.write_text(rules.read_text().replace("if [ -p", "if [ {in} = a.txt ] && [ -p"))

    text = interrupted_after_failing(codes, "-k", "-j", "2")
    codes.gate.path.unlink()
    printed = interrupted_after_failing(codes, "-k", "-j", "2", "--json")

    told = printed.json()
    assert text.code == printed.code == 130
    assert re.search(r"^build [0-9a-f]{6} interrupted: 0 of 2 jobs done", text.err, re.MULTILINE)
    assert "FAILED  copy:out/b" in text.err
    assert ERROR.search(text.err) and ERROR.search(printed.err)
    assert (told["schema"], told["status"], told["revision"]) == ("windrow.build/1", "interrupted", None)
    assert (told["planned"], told["executed"], told["failed"]) == (2, 0, 1)
    assert [failure["job"] for failure in told["failures"]] == ["copy:out/b"]


def interrupted_after_failing(codes: Codes, *words: str) -> Said:
    """A build that is interrupted while one job runs and another has failed."""
    codes.gate.shut()
    process = codes.start("build", *words)
    codes.gate.await_step()
    assert process.stderr is not None
    for line in process.stderr:
        if "FAIL " in line:
            break
    os.kill(process.pid, signal.SIGINT)
    return ended(process)


def test_a_failed_build_prints_one_object_too(codes: Codes) -> None:
    codes.put("bad\n")

    said = codes.run("build", "--json")

    (failure,) = said.json()["failures"]
    assert (said.code, said.json()["status"]) == (1, "failed")
    assert (failure["job"], failure["exit_code"]) == ("copy:out/a", 1)
    assert json.loads(said.out)["schema"] == "windrow.build/1"


def test_what_became_of_the_lock_is_told_as_json_too(codes: Codes) -> None:
    told: list[Said] = []

    codes.while_it_runs(lambda _: told.append(codes.run("lock", "break", "--json")))

    told.append(codes.run("lock", "break", "--json"))
    taken, free = (said.json() for said in told)
    assert [said.code for said in told] == [0, 0]
    assert (taken["schema"], taken["holder"], set(taken["taken_from"])) == (
        "windrow.lock/1",
        None,
        {"build", "pid", "host", "user", "target", "since", "renewed", "fence"},
    )
    assert (free["holder"], free["taken_from"]) == (None, None)
