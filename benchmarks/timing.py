"""Times commands as whole processes, in turn with their peers, and keeps what was measured."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROUNDS = int(os.environ.get("WINDROW_BENCH_ROUNDS", "5"))


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the wall and of all processors; count: whatever was counted in it, -1 for nothing."""

    wall: float
    cpu: float = 0.0
    count: int = -1


@dataclass(frozen=True)
class Row:
    """A measurement: medians and spread (min, max) in seconds.

    ratio: the median of the row's subject of comparison (the first of its name) over this one's; 0 for itself.
    """

    name: str
    who: str
    wall: float
    spread: tuple[float, float]
    cpu: float = 0.0
    ratio: float = 0.0
    count: int = -1
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
    contenders: Mapping[str, Callable[[], Sample]],
    *,
    rounds: int = ROUNDS,
    note: Callable[[str, Row], str] = lambda _who, _row: "",
) -> list[Row]:
    """All in turn, A B A B …, after one run of each that does not count; the first is what the others are peers of."""
    for once in contenders.values():
        once()
    taken: dict[str, list[Sample]] = {who: [] for who in contenders}
    for _ in range(rounds):
        for who, once in contenders.items():
            taken[who].append(once())
    return rows(name, taken, note=note)


def rows(
    name: str, taken: Mapping[str, Sequence[Sample]], *, note: Callable[[str, Row], str] = lambda _who, _row: ""
) -> list[Row]:
    """A row for each contender; `note` is given the first one's row when it words another's."""
    found: list[Row] = []
    for who, samples in taken.items():
        walls = [sample.wall for sample in samples]
        wall = statistics.median(walls)
        row = Row(
            name,
            who,
            round(wall, 4),
            (round(min(walls), 4), round(max(walls), 4)),
            cpu=round(statistics.median(sample.cpu for sample in samples), 4),
            ratio=round(found[0].wall / wall, 3) if found else 0.0,
            count=samples[-1].count,
        )
        text = note(who, row)
        found.append(Row(**{**asdict(row), "note": text}) if text else row)
    return found


def show(title: str, found: Sequence[Row]) -> None:
    """Print a table."""
    print(f"\n{title}")
    print(f"{'':26} {'':24} {'median s':>9} {'(min-max)':>17} {'cpu s':>8} {'ratio':>7}", flush=True)
    name = ""
    for row in found:
        spread = f"({row.spread[0]:.3f}-{row.spread[1]:.3f})"
        head = row.name if row.name != name else ""
        line = f"{head:26} {row.who:24} {row.wall:9.3f} {spread:>17} {row.cpu:8.3f}"
        line += f" {row.ratio:7.2f}" if row.ratio else " " * 8
        line += f"  {row.count} executed" if row.count >= 0 else ""
        print(line + (f"  {row.note}" if row.note else ""))
        name = row.name


def keep(
    folder: Path,
    name: str,
    title: str,
    found: Sequence[Row],
    load_before: float,
    *,
    more: Mapping[str, object] | None = None,
) -> None:
    """Keep a table as JSON, with machine, commit, date, the load (of a minute) before and after, rounds, and `more`."""
    body = {
        "title": title,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "load": [round(load_before, 2), round(os.getloadavg()[0], 2)],
        "rounds": ROUNDS,
        "rows": [asdict(row) for row in found],
        **(more or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(body, indent=2) + "\n")


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
