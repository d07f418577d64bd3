"""Times commands as whole processes, in turn with their peer, and keeps what was measured."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the wall and of all processors."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """A measurement and its peer's: medians, spreads (min, max) in seconds, and the ratio of the medians."""

    name: str
    subject: str
    wall: float
    wall_spread: tuple[float, float]
    cpu: float
    peer: str = ""
    peer_wall: float = 0.0
    peer_wall_spread: tuple[float, float] = (0.0, 0.0)
    peer_cpu: float = 0.0
    ratio: float = 0.0
    note: str = ""


def run(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Sample:
    """Run a command to its end, quietly; RuntimeError if it fails."""
    quiet = os.open(os.devnull, os.O_RDWR)
    began = time.perf_counter()
    pid = os.posix_spawnp(
        "env",
        ["env", "-C", str(folder), *argv],
        dict(env),
        file_actions=[(os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)],
    )
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    os.close(quiet)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise RuntimeError(f"{' '.join(argv)} ended with {code}")
    return Sample(wall, usage.ru_utime + usage.ru_stime)


def compare(
    name: str,
    subject: tuple[str, Callable[[], Sample]],
    peer: tuple[str, Callable[[], Sample]] | None = None,
    *,
    rounds: int = 5,
    note: str = "",
) -> Row:
    """Both in turn, A B A B …, after one run of each that does not count."""
    pairs = [subject] + ([peer] if peer else [])
    for _, once in pairs:
        once()
    taken: dict[str, list[Sample]] = {label: [] for label, _ in pairs}
    for _ in range(rounds):
        for label, once in pairs:
            taken[label].append(once())
    ours = taken[subject[0]]
    row = Row(name, subject[0], *_figures(ours), note=note)
    if peer is None:
        return row
    theirs = _figures(taken[peer[0]])
    return Row(name, subject[0], *_figures(ours), peer[0], *theirs, ratio=round(row.wall / theirs[0], 3), note=note)


def _figures(samples: Sequence[Sample]) -> tuple[float, tuple[float, float], float]:
    walls = [sample.wall for sample in samples]
    spread = (round(min(walls), 4), round(max(walls), 4))
    return round(statistics.median(walls), 4), spread, round(statistics.median(s.cpu for s in samples), 4)


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a table and keep it as JSON under benchmarks/results."""
    print(f"\n{title}")
    print(f"{'':44} {'median s':>9} {'(min-max)':>15} {'cpu s':>8}   {'peer':22} {'median s':>9} {'ratio':>7}")
    for row in rows:
        spread = f"({row.wall_spread[0]:.3f}-{row.wall_spread[1]:.3f})"
        line = f"{row.name + ', ' + row.subject:44} {row.wall:9.3f} {spread:>15} {row.cpu:8.3f}"
        if row.peer:
            line += f"   {row.peer:22} {row.peer_wall:9.3f} {row.ratio:7.2f}"
        print(line + (f"   {row.note}" if row.note else ""))
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    body = {"title": title, "machine": machine, "rows": [asdict(row) for row in rows]}
    name = title.partition(":")[0].replace(" ", "-").lower()
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=2) + "\n")
