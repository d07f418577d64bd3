"""Twenty builds of examples/impact, jobs of 200 ms: 5 of nothing, of a leaf, of five files, of similar projects."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/impact/todo.py"
MILLISECONDS = 200
SLOTS = len(os.sched_getaffinity(0))
EXPECTED = {"nothing": "95 %", "a leaf": "70-90 %", "five files": "40-60 %", "a similar project": "50-70 %"}


def measure(home: Path) -> dict[str, Any]:
    """Build twenty times and print what each kind saved of a build from nothing."""
    spec = importlib.util.spec_from_file_location("impact_todo", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    todo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(todo)
    tree = home / "todo"
    todo.write(tree, "todo", MILLISECONDS)
    whole, report = _build(home, tree)
    rows: list[dict[str, Any]] = []

    def add(kind: str, folder: Path) -> None:
        planned = json.loads(_run(home, folder, "plan", "--json")) if kind != "nothing" else {}
        seconds, said = _build(home, folder)
        reused = sum(said["reused"].values())
        rows.append(
            {
                "kind": kind,
                "seconds": round(seconds, 2),
                "executed": said["executed"],
                "saved": 1 - seconds / whole,
                "hits": 1 - said["executed"] / report["planned"],
                "reused": reused,
                "estimated": round(max(planned["estimated_seconds"], planned["work_seconds"] / SLOTS), 2)
                if planned
                else 0,
            }
        )

    for _ in range(5):
        add("nothing", tree)
    for number in range(5):
        _edit(tree, ("leaf05",), number)
        add("a leaf", tree)
    for number in range(5):
        _edit(tree, ("mid03", "mid04", "leaf05", "leaf06", "leaf07"), number)
        add("five files", tree)
    for number in range(5):
        other = home / f"notes{number}"
        todo.write(other, "notes", MILLISECONDS)
        _edit(other, tuple(f"leaf{n:02d}" for n in range(15)), number)
        add("a similar project", other)
    return _told(whole, rows)


def _edit(tree: Path, names: tuple[str, ...], number: int) -> None:
    for name in names:
        path = tree / f"src/todo/{name}.py"
        path.write_text(path.read_text() + f"# edit {number}\n")


def _build(home: Path, tree: Path) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    said = _run(home, tree, "build", "--json", "-q")
    return time.perf_counter() - began, json.loads(said)


def _run(home: Path, tree: Path, *words: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(home), "WINDROW_CACHE_DIR": str(home / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "windrow", *words], cwd=tree, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def _told(whole: float, rows: list[dict[str, Any]]) -> dict[str, Any]:
    print(f"\nfrom nothing: {whole:.1f} s for 102 jobs of {MILLISECONDS} ms")
    print(f"{'five builds of':18} {'executed':>8} {'estimate':>8} {'seconds':>8} {'saved':>7}   expected")
    for kind, expected in EXPECTED.items():
        some = [row for row in rows if row["kind"] == kind]
        keys = ("executed", "estimated", "seconds", "saved")
        executed, estimated, seconds, saved = (sum(row[key] for row in some) / 5 for key in keys)
        print(f"{kind:18} {executed:8.1f} {estimated:8.2f} {seconds:8.2f} {saved:7.1%}   {expected}")
    saved = sum(row["saved"] for row in rows) / len(rows)
    hits = sum(row["hits"] for row in rows[:10]) / 10
    print(f"average saving {saved:.1%} (at least 60 %), hit rate over the first ten builds {hits:.1%} (at least 80 %)")
    return {"seconds_from_nothing": round(whole, 2), "builds": rows, "saved": round(saved, 3), "hits": round(hits, 3)}
