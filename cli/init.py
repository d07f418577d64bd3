"""windrow init."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

import click

from cli import gitignore, render
from cli.options import start_folder
from shared import errors
from shared.settings_keys import NAME

_HEAD = '[project]\nname = "{name}"\n'

_NINJA = """
[ninja]
file = "{file}"
"""

_TESTS = """
[tests]                            # run by `windrow test`; see docs/guide/test-selection.md
"""

_TOOLS = """
[toolchain]
tools = [{tools}]                  # their content is part of every action key
"""

_COMPILE = """
[[rule]]
name = "{rule}"
each = "{sources}"                 # one job a file
inputs = [{headers}]               # what it may read; the depfile says what it did read
command = ["{compiler}", {include}"-MMD", "-MF", "{{depfile}}", "-c", "{{in}}", "-o", "{{out}}"]
outputs = ["build/{{path}}.o"]
depfile = "build/{{path}}.d"
"""

_LINK = """
[[rule]]
name = "link"
inputs = [{rules}]
command = ["{compiler}", "{{in}}", "-o", "{{out}}"]
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

# What describes a build that ninja is told of, and the command that tells it; both want a ninja to be there.
_CONFIGURED = {
    "CMakeLists.txt": "cmake -S . -B build -G Ninja -DCMAKE_MAKE_PROGRAM=windrow-ninja",
    "meson.build": "NINJA=windrow-ninja meson setup build",
    "BUILD.gn": "gn gen build",
}
_COMPILERS = {"gcc": ("cc", (".c",), '"**/*.h"'), "g++": ("cxx", (".cpp", ".cc", ".cxx"), '"**/*.h", "**/*.hpp"')}
_LEFT_OUT = ("node_modules", "__pycache__", "venv")
_LOOKED_AT = 20_000  # files of a large tree, and no more

_IGNORED = (".windrow/", "windrow.local.toml", "build/")
_CONTEXT_IGNORED = ("/.context/.build-manifest.json", "/.context/.build.lock")


@click.command()
@click.option("-C", "--directory", metavar="DIR", help="Run as if started in DIR.")
@click.option("--name", help="The project's name (default: the folder's).")
def init(directory: str | None, name: str | None) -> int:
    """Write a windrow.toml for the folder you are in; does nothing where there is one."""
    folder = start_folder(directory)
    path = folder / "windrow.toml"
    if name is not None and not NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} does not match {NAME.pattern}; {_plain(name)!r} would do", param_hint="--name"
        )
    next_ = "windrow build"
    if path.exists():
        render.out(f"{path} is there already; nothing was changed")
    else:
        text, next_ = settings_text(folder, name or _plain(folder.resolve().name))
        try:
            path.write_text(text)
        except OSError as error:
            raise errors.named(error, path, "writing") from error
        render.out(f"wrote {path}")
    ignored = (*_IGNORED, *_CONTEXT_IGNORED) if (folder / _CONTEXT_RULES).is_dir() else _IGNORED
    if added := gitignore.add(folder / ".gitignore", ignored):
        render.out(f"added {', '.join(added)} to .gitignore")
    render.out(f"next: {next_}")
    return 0


def settings_text(folder: Path, name: str) -> tuple[str, str]:
    """A windrow.toml that fits what lies in the folder, and the command that comes next."""
    head = _HEAD.format(name=name)
    if (folder / _CONTEXT_RULES).is_dir():
        return head + _CONTEXT, "windrow build"
    files = list(islice(_files(folder), _LOOKED_AT))
    tests = _TESTS if any(fnmatchcase(file.name, "test_*.py") for file in files) else ""
    made = sorted((file for file in files if file.name == "build.ninja"), key=lambda file: (len(file.parts), file))
    if made:
        return head + _NINJA.format(file=made[0].as_posix()) + tests, "windrow build"
    for description, configure in _CONFIGURED.items():
        if (folder / description).is_file():
            return head + _NINJA.format(file="build/build.ninja") + tests, f"{configure} && windrow build"
    rules = _compiled(folder, files, name)
    if rules or not tests:
        return head + (rules or _ANY_RULES.format()) + tests, "windrow build"
    return head + tests, "windrow test"


def _compiled(folder: Path, files: Sequence[Path], name: str) -> str:
    """Rules for C and C++ sources; empty where there are none."""
    rules, names, compilers = "", [], []
    include = '"-Iinclude", ' if (folder / "include").is_dir() else ""
    for compiler, (rule, endings, headers) in _COMPILERS.items():
        sources = [file for file in files if file.suffix in endings and file.parts[0] != "build"]
        if not sources:
            continue
        found = sorted({file.suffix for file in sources})
        ending = found[0] if len(found) == 1 else "{" + ",".join(found) + "}"
        top = "src/" if all(file.parts[0] == "src" for file in sources) else ""
        rules += _COMPILE.format(
            rule=rule, sources=f"{top}**/*{ending}", compiler=compiler, include=include, headers=headers
        )
        names.append(f'"rule:{rule}"')
        compilers.append(compiler)
    if not rules:
        return ""
    link = _LINK.format(rules=", ".join(names), compiler=compilers[-1], name=name)
    return _TOOLS.format(tools=", ".join(f'"{one}"' for one in compilers)) + rules + link


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder, relative to it: none of hidden folders, of a build folder only its build.ninja."""
    for top, folders, names in os.walk(folder):
        build = "build.ninja" in names
        folders[:] = sorted(one for one in folders if not build and not one.startswith(".") and one not in _LEFT_OUT)
        here = Path(top).relative_to(folder)
        yield from (here / one for one in (["build.ninja"] if build else sorted(names)))


def _plain(name: str) -> str:
    """The name of a project that comes closest to a name."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:100] or "project"
