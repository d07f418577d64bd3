"""A real project with a build.ninja: where it comes from, how it is configured, and the edits it goes through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

CMAKE = ("cmake", "-S", "src", "-B", "build", "-G", "Ninja")


class Edit(NamedTuple):
    """One place of a source: the text there, and what it becomes. The path is relative to the sources."""

    path: str
    old: str
    new: str


class Slice(NamedTuple):
    """The part of a project that is built where the whole takes too long: the first so many outputs of a pattern."""

    pattern: str
    count: int = 20


class Project(NamedTuple):
    """What the harness is told of a project. Commands run in the folder that holds `src` and `build`."""

    name: str
    version: str
    fetch: Callable[[Path], Path]  # from a cache folder, the folder that becomes src
    configure: tuple[str, ...]
    header: Edit
    source: Edit
    flag: tuple[str, ...]  # a command that changes how things are compiled
    deleted: str  # an object file, relative to build
    touched: str = ""  # a source; by default the one that is edited
    subfolder: str = ""  # of src, where the build description lies
    form: str = ""  # how it is configured, where that is not as it comes
    targets: tuple[str, ...] = ()
    slice: Slice | None = None
    requirements: tuple[str, ...] = ()  # of PyPI, for PATH
    headers: tuple[str, ...] = ()  # of the system
    environ: tuple[tuple[str, str], ...] = ()
    differs: tuple[tuple[str, str], ...] = ()  # globs of outputs that differ from one run to the next, and why
