"""How long scan, import and diff take on 100 and on 10,000 files: `python -m benchmarks.scan_speed`."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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


def best(what: Callable[[], object], times: int = 7) -> float:
    """The shortest of some runs, in milliseconds."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        what()
        took.append(time.perf_counter() - start)
    return min(took) * 1000


def measure(files: int, outputs: int) -> None:
    """Print a line for each step."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        made = set(make_tree(root, files, outputs))
        settings = load(root, flags={}, environ={"HOME": folder})
        start = time.perf_counter()
        first = scan(settings, made)
        first.save()
        print(f"{files} files, {outputs} outputs")
        print(
            f"  first scan, all hashed  {(time.perf_counter() - start) * 1000:8.1f} ms  ({first.snapshot.hashed} read)"
        )
        time.sleep(0.05)
        scan(settings, made).save()
        print(f"  scan, nothing changed   {best(lambda: scan(settings, made).save()):8.1f} ms")
        print(f"  scan, verify            {best(lambda: scan(settings, made, verify=True), 3):8.1f} ms")
        snapshot = scan(settings, made).snapshot
        manifest = _manifest(settings, snapshot)
        importing = best(lambda: import_rules(settings, snapshot, platform="p", environ={}), 3)
        print(f"  import of the rules     {importing:8.1f} ms")
        print(f"  diff                    {best(lambda: diff(manifest, snapshot)):8.1f} ms")
        code = "import coordinator.scan, coordinator.diff, coordinator.importers.declared, shared.settings_load"
        bare = best(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
        loading = best(lambda: subprocess.run([sys.executable, "-c", code], check=True))
        print(f"  importing all of it     {loading - bare:8.1f} ms")


def _manifest(settings: Settings, snapshot: Snapshot) -> Manifest:
    artefacts = {path: Artefact(state.hash, state.size, "j", state.mode) for path, state in snapshot.outputs.items()}
    return Manifest(settings.project, "main", 1, dict(snapshot.sources), {}, artefacts)


if __name__ == "__main__":
    measure(100, 50)
    measure(10_000, 0)
    measure(10_000, 10_000)
