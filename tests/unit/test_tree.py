"""What holds for the tree as a whole: its modules, its documents, and that both say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, LazyGroup, windrow
from shared import errors
from shared.settings_keys import RULE, TABLES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cli", "coordinator", "shared", "workers")
MODULES = sorted([ROOT / "windrow.py", *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))])
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LONGEST, LONGEST_OF_TESTS = 400, 450
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}

# A program of its own, run for each slot: it cannot import a clock.
OWN_PROGRAM = "workers/execute/supervisor.py"
# They show time to people as it passes, and decide nothing by it.
DISPLAY = {
    "cli/progress_live.py",
    "cli/progress_lines.py",
    "cli/progress_ninja.py",
    "cli/first.py",
    "cli/lock.py",
    "cli/history.py",
    "cli/doctor.py",
}
MAY_ASK_THE_TIME = {
    "shared/clock.py",
    "shared/atomic.py",  # the age of what another machine left, against its mtime
    OWN_PROGRAM,
    *DISPLAY,
}
PRINTERS = {
    "cli/render.py",
    "cli/progress_live.py",
    "cli/progress_lines.py",
    "cli/progress_ninja.py",
    "cli/first.py",  # it is over before cli/render.py could be loaded
    "coordinator/importers/pytests/program.py",  # what it prints is the log of its job
    "workers/execute/callers.py",  # a fork of it is a job, and what it prints its log
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _calls(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_in_its_first_line_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""

    assert docstring.splitlines()[:1], "no docstring"
    assert len(docstring.splitlines()[0]) > 10


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def test_so_is_a_file_of_tests() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in (ROOT / "tests").rglob("*.py")}

    assert {path: length for path, length in lengths.items() if length > LONGEST_OF_TESTS} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}

    assert not parts & EMPTY_NAMES


def test_only_the_rendering_modules_print() -> None:
    printing = ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write")
    found = [
        f"{_name(path)}:{line}"
        for path in MODULES
        if _name(path) not in PRINTERS and not _name(path).startswith("workers/calls/")
        for call, line in _calls(path)
        if call in printing
    ]

    assert found == []


def test_only_the_clock_knows_the_time_and_how_to_wait() -> None:
    forbidden = ("time.time", "time.sleep", "time.monotonic", "datetime.now", "datetime.utcnow", "datetime.today")
    found = [
        f"{_name(path)}:{line} {call}"
        for path in MODULES
        if _name(path) not in MAY_ASK_THE_TIME
        for call, line in _calls(path)
        if call in forbidden
    ]

    assert found == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    dead = [t for t in targets if t and "://" not in t and not (path.parent / t).exists()]

    assert dead == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_path_a_document_names_is_there(path: Path) -> None:
    named = re.findall(r"`((?:cli|coordinator|shared|workers|tests|docs|infra|examples)/[\w./-]*)`", path.read_text())

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_page_that_the_code_names_is_there() -> None:
    pages = {page for path in MODULES for page in re.findall(r"docs/[\w/-]+\.md", path.read_text())}

    assert sorted(page for page in pages if not (ROOT / page).exists()) == []


def test_every_make_verb_of_a_document_is_in_the_makefile() -> None:
    verbs = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {verb for path in DOCUMENTS for verb in re.findall(r"(?:^|`)make (\w+)", path.read_text(), re.MULTILINE)}

    assert named
    assert named <= verbs


def test_every_command_that_a_document_names_is_there() -> None:
    named = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"(?:^|[`$] ?)windrow ([a-z]+)", path.read_text(), re.MULTILINE)
    }

    assert named
    assert named <= set(COMMANDS)


def _errors() -> list[type[errors.WindrowError]]:
    classes = [errors.WindrowError]
    for one in classes:
        classes += [sub for sub in one.__subclasses__() if sub.__module__ == errors.__name__]
    return classes


@pytest.mark.parametrize("error", _errors(), ids=lambda error: error.__name__)
def test_every_error_code_is_in_the_reference_with_its_exit_code(error: type[errors.WindrowError]) -> None:
    rows = (ROOT / "docs/reference/cli.md").read_text().splitlines()

    assert any(row.startswith(f"| `{error.code}` | {error.exit_code} |") for row in rows)


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in _errors()]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("table", [*TABLES, "rule"])
def test_every_setting_is_in_the_reference(table: str) -> None:
    text = (ROOT / "docs/reference/windrow-toml.md").read_text()
    heading = "## `[[rule]]`" if table == "rule" else f"## `[{table}]`"
    section = text.partition(heading)[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))

    assert documented == set(RULE if table == "rule" else TABLES[table])


def _commands() -> Iterator[tuple[str, click.Command]]:
    assert isinstance(windrow, LazyGroup)
    context = click.Context(windrow)
    for name in COMMANDS:
        module = ROOT / (COMMANDS[name][0].partition(":")[0].replace(".", "/") + ".py")
        if not module.exists():
            continue
        command = windrow.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", one) for sub, one in command.commands.items())


def test_every_flag_of_every_command_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/cli.md").read_text()
    missing = [
        f"windrow {name} {flag}"
        for name, command in _commands()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for flag in parameter.opts
        if flag.startswith("--") and f"`{flag}" not in _section(text, name)
    ]

    assert missing == []


def _section(text: str, command: str) -> str:
    """What is said of a command, and what is said of all."""
    own = text.partition(f"\n### `windrow {command}")[2].partition("\n### ")[0].partition("\n## ")[0]
    return own + text.partition("## Options of every command")[2].partition("\n### ")[0]
