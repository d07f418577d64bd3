"""One real project through its cases, by each engine at the same path and from the same configured tree."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from benchmarks.real import comparing, sources
from benchmarks.real.engines import Engine
from benchmarks.real.notes import Left, Notes
from benchmarks.real.project import Edit, Project
from benchmarks.real.sources import Unavailable


class TimeUp(Exception):
    """A run was stopped, and is to be gone on with; says of what."""


class Case(NamedTuple):
    """One change, made in the folder that holds src and build."""

    name: str
    change: Callable[[Path], None]


class Place:
    """A configured project; every engine gets a copy of it at the same path.

    home: an empty folder, or one that an earlier Place of this project has left. edges: how many commands a clean build
    of everything runs.
    """

    def __init__(self, project: Project, home: Path, cache: Path) -> None:
        sources.needs(project.headers)
        missing = [
            name
            for name in ("cmake", "ninja")
            if not shutil.which(name) and f"{name}>" not in str(project.requirements)
        ]
        wanted = (*project.requirements, *missing)
        first = [sources.tools(wanted, cache)] if wanted else []
        fetched = project.fetch(cache)
        self.project, self.home = project, home
        self.environ = {**sources.environment(first, home / "bin"), **dict(project.environ)}
        self.folder, self._kept = home / "place" / "tree", home / "configured"
        try:
            self.notes = Notes.read(home / "notes.json")
        except FileNotFoundError:
            self.notes = self._configured(fetched)
        self.targets, self.edges = self.notes.targets, self.notes.edges

    def through(self, engine: Engine, cases: tuple[Case, ...], until: float = math.inf) -> dict[str, Left]:
        """What an engine does in each case, one after the other, as far as it has not done so already.

        TimeUp when the clock of `time.monotonic` says `until` before the last case has ended.
        """
        notes, who = self.notes, engine.name
        left = notes.left(who)
        if not notes.known(who):
            shutil.rmtree(self.folder.parent, ignore_errors=True)
            shutil.copytree(self._kept, self.folder.parent, symlinks=True)
        for case in cases:
            if case.name in left:
                continue
            if time.monotonic() > until:
                raise TimeUp(f"{case.name} by {who}")
            if not notes.begun(who, case.name):
                case.change(self.folder)
                notes.change_made(who, case.name)
            ran = notes.ran(who, engine.run(self.folder / "build", self.targets, until))
            if not ran.ended:
                raise TimeUp(f"{case.name} by {who}, after {ran.seconds:.0f} s and {len(ran.executed)} outputs")
            left[case.name] = Left(ran, comparing.tree(self.folder / "build", self.project.differs))
            notes.ended(who, left[case.name])
        return left

    def cases(self) -> tuple[Case, ...]:
        """The cases in the order in which they build on each other."""
        project = self.project

        def touch(folder: Path) -> None:
            (folder / "src" / (project.touched or project.source.path)).touch()

        def delete(folder: Path) -> None:
            found = [path for path in _files(folder / "build") if fnmatchcase(path, project.deleted)]
            if len(found) != 1:
                raise Unavailable(f"{project.deleted} is {len(found)} files")
            (folder / "build" / found[0]).unlink()

        return (
            Case("clean", lambda _folder: None),
            Case("no-op", lambda _folder: None),
            Case("touch of a source", touch),
            Case("header edit", lambda folder: _edit(folder, project.header)),
            Case("source edit", lambda folder: _edit(folder, project.source)),
            Case("flag edit", lambda folder: self._call(project.flag, folder)),
            Case("deleted object", delete),
            Case("no-op at the end", lambda _folder: None),
        )

    def _configured(self, fetched: Path) -> Notes:
        # Of a run that was stopped while it configured.
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        self.folder.mkdir(parents=True)
        shutil.copytree(fetched, self.folder / "src", symlinks=True)
        self._call(self.project.configure)
        edges = sum(line.startswith("[") for line in self._said(("ninja", "-n", "-C", "build")).splitlines())
        targets = self._targets()
        self.folder.parent.rename(self._kept)
        return Notes.begin(self.home / "notes.json", targets, edges)

    def _targets(self) -> tuple[str, ...]:
        if self.project.slice is None:
            return self.project.targets
        pattern, count = self.project.slice
        outputs = self._said(("ninja", "-C", "build", "-t", "targets", "all")).splitlines()
        found = sorted(name for line in outputs if fnmatchcase(name := line.partition(": ")[0], pattern))
        if len(found) < count:
            raise Unavailable(f"{self.project.name} has {len(found)} outputs of {pattern}")
        return tuple(found[:count])

    def _call(self, argv: tuple[str, ...], folder: Path | None = None) -> None:
        self._said(argv, folder)

    def _said(self, argv: tuple[str, ...], folder: Path | None = None) -> str:
        cwd = folder or (self.folder if self.folder.is_dir() else self.home)
        done = subprocess.run(
            argv, cwd=cwd, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unavailable(f"{' '.join(argv)} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
        return done.stdout


class Verdict(NamedTuple):
    """How an engine's case stands to ninja's: what it executed beyond, what it left out, which files differ."""

    idle: tuple[str, ...]
    spared: tuple[str, ...]
    differing: tuple[str, ...]


def judge(by_ninja: Mapping[str, Left], by_windrow: Mapping[str, Left]) -> dict[str, Verdict]:
    """Every case of one against the other's."""
    verdicts = {}
    for name, expected in by_ninja.items():
        found = by_windrow[name]
        verdicts[name] = Verdict(
            tuple(sorted(found.ran.executed - expected.ran.executed)),
            tuple(sorted(expected.ran.executed - found.ran.executed)),
            tuple(comparing.differences(expected.tree, found.tree)),
        )
    return verdicts


def _edit(folder: Path, edit: Edit) -> None:
    path = folder / "src" / edit.path
    text = path.read_text()
    if edit.old not in text:
        raise Unavailable(f"{edit.path} does not hold {edit.old!r}")
    path.write_text(text.replace(edit.old, edit.new, 1))


def _files(build: Path) -> list[str]:
    return [path.relative_to(build).as_posix() for path in build.rglob("*") if path.is_file()]
