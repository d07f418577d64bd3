"""Injected faults: what a full run shows to fail, against what Windrow and pytest-testmon select."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.impact.arena import Arena, means
from benchmarks.impact.injected import by_hand, injected
from benchmarks.impact.packages import PACKAGES, environment, unpack

PROJECTS = ("traps", *PACKAGES)
_SIZES = ("failing", "needed", "windrow", "testmon", "failing_tests", "windrow_tests", "testmon_tests")


def measure(
    home: Path, name: str, count: int, seconds: float = float("inf"), clock: Callable[[], float] = time.monotonic
) -> dict[str, Any]:
    """Inject faults into a project until `count` made a test fail, or the time is up; the table is printed.

    Faults that no test of a full run notices are judged too, but counted apart.
    """
    package = PACKAGES.get(name)
    python = environment(home / f"env-{name}", package.needs if package else ())
    fetched = home / f"fetched-{name}"
    fetched.mkdir()
    tree = unpack(name, fetched, python)
    arena = Arena(home / f"arena-{name}", tree, python)
    faults = [*injected(tree, package.folder, package.data)] if package else [*injected(tree, "src/shop", "")]
    rows: list[dict[str, Any]] = []
    until = clock() + seconds  # what comes before is not what a project's faults take
    for fault in (*(() if package else by_hand()), *faults):
        if sum(row["failing"] > 0 for row in rows) >= count or clock() > until:
            break
        rows.append(arena.judge(fault))
    if not any(row["failing"] for row in rows):
        raise SystemExit(f"{name}: none of {len(rows)} faults made a test fail in that time")
    version = package.version if package else ""
    return {"project": name, "version": version, **_told(name, rows, {k: len(v) for k, v in arena.tests.items()})}


def _told(name: str, rows: list[dict[str, Any]], tests: dict[str, int]) -> dict[str, Any]:
    """The table, printed, and the same as a value."""
    noticed = [row for row in rows if row["failing"]]
    harmless = [row for row in rows if not row["failing"]]
    print(f"\n{name}: {sum(tests.values())} tests in {len(tests)} files; {len(noticed)} faults, of each the test files")
    head = ("faults", "failing", "needed", "windrow", "testmon", "missed", "by testmon")
    widths = (6, 8, 7, 8, 8, 7, 11)
    print(f"{'kind':12} " + " ".join(f"{word:>{width}}" for word, width in zip(head, widths, strict=True)))
    summary = {}
    for kind in [*sorted({row["kind"] for row in noticed}), "all"]:
        some = [row for row in noticed if kind in (row["kind"], "all")]
        summary[kind] = _summed(some)
        sizes, missed = summary[kind], summary[kind]["faults_missed"]
        print(
            f"{kind:12} {len(some):6} {sizes['failing']:8.1f} {sizes['needed']:7.1f} {sizes['windrow']:8.1f} "
            f"{sizes['testmon']:8.1f} {missed['windrow']:7} {missed['testmon']:11}"
        )
    apart = {"faults": len(harmless), **(means(harmless, *_SIZES) if harmless else {})}
    why = _why(noticed, len(tests))
    print(f"{len(harmless)} faults that no test notices are counted apart\n{why}")
    return {
        "test_files": len(tests),
        "tests": sum(tests.values()),
        "summary": summary,
        "harmless": apart,
        "why": why,
        "faults": rows,
    }


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    missed = {who: sum(bool(row[f"missed_by_{who}"]) for row in rows) for who in ("windrow", "testmon")}
    beyond = sum(len(row["beyond_needed"]) for row in rows)
    return {"faults": len(rows), **means(rows, *_SIZES), "faults_missed": missed, "beyond_needed": beyond}


def _why(rows: list[dict[str, Any]], files: int) -> str:
    """How many more test files Windrow selects than testmon and than fail, and what for."""
    mean = means(rows, *_SIZES)
    loading = round(mean["needed"] - mean["failing"], 2)
    found = Counter(_kind(reason) for row in rows for reason in row["beyond_needed"].values())
    text = (
        f"Of {files} test files Windrow selects {mean['windrow']} a fault, testmon {mean['testmon']}, and "
        f"{mean['failing']} fail. {loading} of Windrow's pass, but load the changed file: whether it matters to them "
        "only a run can tell, and testmon tells by the lines of the last one."
    )
    for reason, times in found.most_common():
        text += f" {round(times / len(rows), 2)} a fault do not load it: {reason}."
    return text


def _kind(reason: str) -> str:
    """A reason without its file: what it is that has tests selected which do not load what changed."""
    said = re.sub(r"^\S+ (changed|is new|is gone)(, and )?", "", reason)
    return re.sub(r"\S+:\d+ may import anything", "some module may import anything", said) or (
        "they import it, in a function or under a condition that did not come to pass"
    )
