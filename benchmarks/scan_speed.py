"""How long scan, import and diff take on 100 and on 10,000 files, in this process."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import timing
from benchmarks.rig import ROOT, environment
from benchmarks.timing import ROUNDS, Row, Sample
from coordinator.diff import diff
from coordinator.importers.declared import import_rules
from coordinator.scan import scan
from shared.model.manifest import Artefact, Manifest
from shared.model.snapshot import Snapshot
from shared.settings import Settings
from shared.settings_load import load

TOML = """
[project]
name = "bench"
[scan]
ignore = ["*.tmp"]
[[rule]]
name = "cc"
each = "src/**/*.c"
inputs = ["include/**/*.h"]
command = ["gcc", "-Iinclude", "-MMD", "-MF", "{depfile}", "-c", "{in}", "-o", "{out}"]
outputs = ["build/{path}.o"]
depfile = "build/{path}.d"
"""


def make_tree(root: Path, files: int, outputs: int) -> list[str]:
    """A tree of sources a while old, and the outputs an earlier build left."""
    (root / "windrow.toml").write_text(TOML)
    (root / ".gitignore").write_text("build/\n*.pyc\n/dist\n.venv/\nnode_modules/\n*.log\n")
    for number in range(files):
        kind = "include" if number % 10 == 0 else "src"
        path = root / kind / f"m{number // 100}" / f"f{number}.{'h' if kind == 'include' else 'c'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"int f{number};\n" * 40)
    made = []
    for number in range(outputs):
        path = root / "build" / f"m{number // 100}" / f"f{number}.o"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}")
        made.append(path.relative_to(root).as_posix())
    old = time.time() - 60
    for folder, _, names in os.walk(root):
        for name in names:
            os.utime(Path(folder) / name, (old, old))
    return made


def _timed(what: Callable[[], object]) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    what()
    return Sample(time.perf_counter() - wall, time.process_time() - cpu)


def _bare_and_loaded() -> dict[str, list[Sample]]:
    """Python as it is, and with the modules that this needs."""
    code = "import coordinator.scan, coordinator.diff, coordinator.importers.declared, shared.settings_load"
    words = {"imports of it all": code, "python itself": "pass"}
    return {
        who: [timing.run([sys.executable, "-c", text], ROOT, environment(ROOT)) for _ in range(ROUNDS)]
        for who, text in words.items()
    }


def measure(root: Path, files: int, outputs: int) -> list[Row]:
    """A row for each step, of a tree that nothing changed in."""
    made = set(make_tree(root, files, outputs))
    settings = load(root, flags={}, environ={"HOME": str(root)})
    scan(settings, made).save()
    first = scan(settings, made)
    first.save()
    snapshot = first.snapshot
    manifest = _manifest(settings, snapshot)
    steps: dict[str, Callable[[], object]] = {
        "scan and diff": lambda: diff(manifest, scan(settings, made).snapshot),
        "scan": lambda: scan(settings, made).save(),
        "scan, every file read": lambda: scan(settings, made, verify=True),
        "diff": lambda: diff(manifest, snapshot),
        "import of the rules": lambda: import_rules(settings, snapshot, platform="p", environ={}),
    }
    taken = {who: [_timed(step) for _ in range(ROUNDS + 2)] for who, step in steps.items()}
    return [dataclasses.replace(row, ratio=0.0) for row in timing.rows(f"{files:,} files, {outputs:,} outputs", taken)]


def tables(home: Path) -> list[Row]:
    """Trees of three sizes, and what loading the code takes."""
    found: list[Row] = []
    for files, outputs in ((100, 50), (10_000, 0), (10_000, 10_000)):
        folder = home / f"{files}-{outputs}"
        folder.mkdir()
        found += measure(folder, files, outputs)
    return found + timing.rows("loading the code", _bare_and_loaded())


def _manifest(settings: Settings, snapshot: Snapshot) -> Manifest:
    artefacts = {path: Artefact(state.hash, state.size, "j", state.mode) for path, state in snapshot.outputs.items()}
    return Manifest(settings.project, "main", 1, dict(snapshot.sources), {}, artefacts)
