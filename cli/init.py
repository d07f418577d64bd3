"""windrow init."""

from __future__ import annotations

import re
from pathlib import Path

import click

from cli import render
from cli.options import start_folder
from shared import errors

_HEAD = '[project]\nname = "{name}"\n'

_C_RULES = """
[toolchain]
tools = ["gcc"]                    # their content is part of every action key

[[rule]]
name = "cc"
each = "{sources}"                 # one job a file
inputs = ["**/*.h"]                # what it may read; the depfile says what it did read
command = ["gcc", "-MMD", "-MF", "{{depfile}}", "-c", "{{in}}", "-o", "{{out}}"]
outputs = ["build/{{path}}.o"]
depfile = "build/{{path}}.d"

[[rule]]
name = "link"
inputs = ["rule:cc"]
command = ["gcc", "{{in}}", "-o", "{{out}}"]
outputs = ["build/{name}"]
"""

_ANY_RULES = """
# One job for each text file; write your own commands here.
[[rule]]
name = "count"
each = "**/*.txt"
command = "wc -w < {{in}} > {{out}}"
outputs = ["build/{{path}}.count"]

[[rule]]
name = "total"
inputs = ["rule:count"]
command = "cat {{in}} > {{out}}"
outputs = ["build/total"]
"""

_CONTEXT_RULES = ".context/rules"
_CONTEXT = """
[context-rules]                    # the sources are in .context; see docs/guide/context-rules.md

[build]
mode = "clean"                     # compile everything; `windrow build --incremental` what changed
"""

_TESTS = """
[tests]                            # each test file is a job: `windrow test`; see docs/guide/test-selection.md
"""

_IGNORED = (".windrow/", "windrow.local.toml", "build/")
_CONTEXT_IGNORED = ("/.context/.build-manifest.json", "/.context/.build.lock")


@click.command()
@click.option("-C", "--directory", metavar="DIR", help="Run as if started in DIR.")
@click.option("--name", help="The project's name (default: the folder's).")
def init(directory: str | None, name: str | None) -> int:
    """Write a windrow.toml for the folder you are in; does nothing where there is one."""
    folder = start_folder(directory)
    path = folder / "windrow.toml"
    if path.exists():
        render.out(f"{path} is there already; nothing was changed")
        tested = False
    else:
        text = settings_text(folder, name or _name(folder))
        tested = text.endswith(_TESTS)
        try:
            path.write_text(text)
        except OSError as error:
            raise errors.named(error, path, "writing") from error
        render.out(f"wrote {path}")
    ignored = (*_IGNORED, *_CONTEXT_IGNORED) if (folder / _CONTEXT_RULES).is_dir() else _IGNORED
    if _ignore(folder / ".gitignore", ignored):
        render.out(f"added {', '.join(ignored)} to .gitignore")
    render.out(f"next: windrow {'test' if tested else 'build'}")
    return 0


def settings_text(folder: Path, name: str) -> str:
    """A windrow.toml that fits what lies in the folder."""
    found = ""
    if (folder / _CONTEXT_RULES).is_dir():
        found = _CONTEXT
    elif any(folder.rglob("*.c")):
        where = "src/**/*.c" if (folder / "src").is_dir() else "**/*.c"
        found = _C_RULES.format(name=name, sources=where)
    if has_tests(folder):
        found += _TESTS
    return _HEAD.format(name=name) + (found or _ANY_RULES.format())


def has_tests(folder: Path) -> bool:
    """Whether there are test files for pytest where these usually are: not in what is installed here as well."""
    usual = (path for name in ("tests", "test") for path in (folder / name).rglob("test_*.py"))
    return any(usual) or any(folder.glob("test_*.py"))


def _name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-._") or "project"


def _ignore(path: Path, names: tuple[str, ...]) -> bool:
    """Add what git need not see, once."""
    try:
        had = path.read_text() if path.exists() else ""
        lines = had.splitlines()
        missing = [line for line in names if line not in lines and line.rstrip("/") not in lines]
        if missing:
            path.write_text(had + ("\n" if had and not had.endswith("\n") else "") + "\n".join(missing) + "\n")
    except OSError as error:
        raise errors.named(error, path, "writing") from error
    return bool(missing)
