"""The scan of includes against `gcc -M`: what each finds for every unit of real projects, and how long it takes."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import resource
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import timing
from benchmarks.real import units
from benchmarks.real.units import Project
from benchmarks.timing import ROUNDS, Row, Sample
from coordinator.includes import DirectiveCache, Scan, Scanner
from shared import hashing

# Of gRPC gcc reads only every so many: it would take ten minutes more.
PROJECTS: tuple[tuple[Callable[[Path], Project], int], ...] = (
    (units.zstd_units, 1),
    (units.z3_units, 1),
    (units.grpc_units, 8),
)


class DiskFiles:
    """The files of a tree, hashed before: a scan of the tree knows their digests already."""

    def __init__(self, root: Path) -> None:
        self._root = root
        paths = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
        self.digests = {path.relative_to(root).as_posix(): hashing.of_file(path)[0] for path in paths}

    def content(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def digest(self, path: str) -> str:
        return self.digests[path]


def tables(home: Path) -> list[Row]:
    """A few rows for each project."""
    return [row for make, step in PROJECTS for row in measure(make(home), home, step)]


def measure(project: Project, home: Path, step: int) -> list[Row]:
    """gcc once for every so many units, the scan of all of them in each state of its knowledge."""
    chosen = dict(list(project.commands.items())[::step])
    cpu, began = _children(), time.perf_counter()
    read = _read_by_gcc(project.root, chosen)
    wall = (time.perf_counter() - began) / len(chosen)
    taken = {"gcc -M": [Sample(wall, (_children() - cpu) / len(chosen))]}
    files = DiskFiles(project.root)
    scans: dict[str, Scan] = {}
    for number in range(ROUNDS):
        kept = home / f"{project.name}-{number}.msgpack"
        for who, scanner in _states(project, files, kept).items():
            taken.setdefault(who, []).append(_timed(scanner(), project.commands, scans))
    notes = {
        "gcc -M": f"{len(chosen):,} of {len(project.commands):,} units, {os.cpu_count()} at a time",
        "scan, nothing known": _verdict(read, scans),
    }
    return [
        dataclasses.replace(
            row, note=", ".join(filter(None, (f"{row.wall * 1000:.2f} ms a unit", notes.get(row.who, ""))))
        )
        for row in _scaled(f"{project.name}: all units", taken, len(project.commands))
    ]


def _scaled(name: str, taken: Mapping[str, list[Sample]], count: int) -> list[Row]:
    """Rows whose times are of one unit, though the ratio is of what was measured."""
    found = timing.rows(
        name, {who: [Sample(s.wall * count, s.cpu * count) for s in them] for who, them in taken.items()}
    )
    return [
        dataclasses.replace(
            row,
            wall=round(row.wall / count, 7),
            cpu=round(row.cpu / count, 7),
            spread=(round(row.spread[0] / count, 7), round(row.spread[1] / count, 7)),
        )
        for row in found
    ]


def _states(project: Project, files: DiskFiles, kept: Path) -> dict[str, Callable[[], Scanner]]:
    """Scanners of a first build, of the first build after a restart, and of one that goes on."""
    made: list[Scanner] = []
    caches: list[DirectiveCache] = []

    def scanner(cache: DirectiveCache) -> Scanner:
        caches.append(cache)
        made.append(Scanner(files.digests, files, str(project.root), cache))
        return made[-1]

    def again() -> Scanner:
        caches[-1].save()
        return scanner(DirectiveCache.load(kept))

    return {
        "scan, nothing known": lambda: scanner(DirectiveCache.load(kept)),
        "scan, after a restart": again,
        "scan, once more": lambda: made[-1],
    }


def _timed(scanner: Scanner, commands: Mapping[str, str], scans: dict[str, Scan]) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    for source, command in commands.items():
        scans[source] = scanner.scan(command)
    return Sample((time.perf_counter() - wall) / len(commands), (time.process_time() - cpu) / len(commands))


def _verdict(read: Mapping[str, set[str]], scans: Mapping[str, Scan]) -> str:
    total = sum(map(len, read.values()))
    missing = sum(len(paths - scans[source].paths) for source, paths in read.items())
    extra = sum(len(scans[source].paths - paths) for source, paths in read.items())
    doubts = sum(one.unresolved for one in scans.values())
    said = f"{total:,} files read, {missing} missing, {extra:,} extra ({extra / total:.1%})"
    return said + (f", {doubts} doubtful" if doubts else "")


def _read_by_gcc(root: Path, commands: Mapping[str, str]) -> dict[str, set[str]]:
    """The files of the tree that gcc names for each source."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(
            zip(commands, pool.map(lambda command: _dependencies(root, command), commands.values()), strict=True)
        )


def _dependencies(root: Path, command: str) -> set[str]:
    folder, _, rest = command.rpartition(" && ")
    here = root / folder.removeprefix("cd ")
    words = [*shlex.split(rest)[:-2], "-M", "-MT", "it"]
    said = subprocess.run(words, cwd=here, check=True, capture_output=True, text=True).stdout
    found = (posixpath.normpath(posixpath.join(here, word)) for word in said.replace("\\\n", " ").split()[1:])
    return {path[len(str(root)) + 1 :] for path in found if path.startswith(f"{root}/")}


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
