"""Traps 34 to 36: builds that meet, local state and blobs that are damaged, disks that are full."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.traps.arena import Arena, tree
from tests.traps.projects import SHOUT, STRIP, two_steps
from tests.traps.verdict import NotExpressible, trap


@trap(34, only=("windrow", "windrow-ninja"))
def two_builds_at_once(arena: Arena) -> None:
    """Two builds of one tree: the second says who is building, or waits if told to."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"), SHOUT)
    gate.shut()
    first = arena.start()
    gate.await_step()

    refused = arena.build()
    may_wait = arena.engine.name == "windrow"  # ninja has no flag for it
    waiting = arena.start(argv=[*arena.engine.argv(), "--wait"]) if may_wait else None
    gate.open()

    arena.check(refused.code == 9, f"exit code {refused.code}, not 9:\n{refused.output}")
    arena.check(str(first.pid) in refused.output, f"does not say who is building:\n{refused.output}")
    arena.judge(arena.end(first), runs=2)
    if waiting:
        arena.judge(arena.end(waiting), runs=0)


@trap(34, only=("windrow", "windrow-ninja"))
def stopped_build_keeps_its_lock(arena: Arena) -> None:
    """A build that merely takes long keeps its lock; one that is dead does not."""
    gate = arena.gate()
    arena.put("in.txt", "alpha\n")
    arena.rules(replace(STRIP, command=f"{gate.command}; sed /^#/d in.txt > mid.txt"), SHOUT)
    gate.shut()
    first = arena.start()
    gate.await_step()
    for path in arena.engine.state_files(arena.root):
        # As a build that began long ago would have left them.
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, ns=(10**18, 10**18))

    refused = arena.build()
    arena.check(refused.code == 9, f"a long build lost its lock: exit code {refused.code}\n{refused.output}")
    os.killpg(first.pid, signal.SIGKILL)
    arena.end(first)
    arena.bury()

    arena.right(runs=2)


_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "overwritten": lambda data: os.urandom(len(data)),
    "appended to": lambda data: data + b"\x00garbage{{{\n",
    "turned to JSON of another kind": lambda data: b'{"schema": "windrow.unknown/99", "version": 99}\n',
    "turned to a list": lambda data: b"[]\n",
}


@trap(35, only=("windrow", "windrow-ninja", "ninja"))
def damaged_local_state(arena: Arena) -> None:
    """The engine's local files are torn, empty, garbage or of another version: never a crash."""
    two_steps(arena)

    for how, damage in _DAMAGE.items():
        damaged = [path for path in arena.engine.state_files(arena.root) if _is_workspace(arena, path)]
        for path in damaged:
            path.write_bytes(damage(path.read_bytes()))
        built = arena.right(runs=0, cacheless=2)
        arena.check(built.code == 0, f"state {how}: {[path.name for path in damaged]}")
        arena.put("in.txt", f"after {how}\n")
        arena.right(runs=2)


@trap(35, only=("windrow", "windrow-ninja"))
def damaged_local_state_file_by_file(arena: Arena) -> None:
    """One local file is damaged and the others are not."""
    two_steps(arena)
    names = [path for path in arena.engine.state_files(arena.root) if _is_workspace(arena, path)]

    for number, path in enumerate(names):
        path.write_bytes(_DAMAGE["cut in half"](path.read_bytes()) if path.exists() else b"")
        arena.right(runs=0)
        arena.put("in.txt", f"edit {number}\n", keep_times=True)
        arena.right(runs=2)


@trap(35, only=("windrow", "windrow-ninja"))
def local_state_deleted(arena: Arena) -> None:
    """The workspace's own files are deleted: that costs time, and no work."""
    two_steps(arena)

    shutil.rmtree(arena.project / ".windrow")

    arena.right(runs=0)


@trap(35, only=("windrow", "windrow-ninja"))
def damaged_blobs(arena: Arena) -> None:
    """Every stored blob is damaged: none is served, they are made anew."""
    two_steps(arena)
    blobs = [path for path in (arena.root / "cache").rglob("*") if path.is_file() and len(path.name) == 64]
    arena.check(bool(blobs), "there are no blobs")

    for path in blobs:
        if "results" not in path.parts:
            path.chmod(0o644)
            path.write_bytes(b"X" * path.stat().st_size)
    arena.remove("mid.txt", "final.txt")

    arena.right(runs=2)


@trap(35, only=("windrow", "windrow-ninja", "ninja"))
def dry_run_writes_nothing(arena: Arena) -> None:
    """A dry run shows what would run and writes nothing."""
    two_steps(arena)
    arena.put("in.txt", "gamma\n")
    before = tree(arena.root)

    dry = arena.end(arena.start(argv=[*arena.engine.argv(), "-n"]))

    arena.check(dry.code == 0 and not dry.ran, dry.output)
    changed = {path for path, status in tree(arena.root).items() if before.get(path) != status}
    arena.check(not changed, f"wrote {sorted(changed)}")
    if arena.engine.name == "windrow":
        planned = arena.windrow("plan", "--json")
        arena.check(sum(map(len, planned.report["layers"])) == 2, planned.output)
        changed = {path for path, status in tree(arena.root).items() if before.get(path) != status}
        arena.check(not changed, f"plan wrote {sorted(changed)}")
    arena.right(runs=2)


def _is_workspace(arena: Arena, path: Path) -> bool:
    """Local state, as opposed to stored truth; locks are empty files that are never read."""
    return path.parent == arena.project or (".windrow" in path.parts and "journal" not in path.name)


@trap(36, only=("windrow", "windrow-ninja"))
def disk_full_while_committing(arena: Arena) -> None:
    """The disk is full somewhere between the first blob and the commit: the old revision stands."""
    if os.geteuid() != 0:
        raise NotExpressible
    disk = arena.root / "cache"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        raise NotExpressible
    try:
        two_steps(arena)
        failures = 0
        for free in range(12):
            arena.put("in.txt", f"with {free} pages free\n")
            with _filled(disk / "filler", free_pages=free):
                revision = arena.revision()
                built = arena.build()
                if built.code != 0:
                    failures += 1
                    arena.check(built.code == 36, f"exit code {built.code} with {free} pages free:\n{built.output}")
                    arena.check("space" in built.output, f"does not say why:\n{built.output}")
                    arena.check(arena.revision() == revision, f"revision moved with {free} pages free:\n{built.output}")
            arena.right()
        arena.check(failures > 0, "the disk was never full: the scenario is too weak")
    finally:
        subprocess.run(["umount", disk], check=True)


@trap(36, only=("windrow", "windrow-ninja"))
def files_that_may_not_grow(arena: Arena) -> None:
    """No file may grow beyond a limit while a build writes: the old revision stands."""
    two_steps(arena)
    arena.put("in.txt", "gamma " * 2000 + "\n")
    revision = arena.revision()

    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *arena.engine.argv()]
    built = arena.end(arena.start(argv=limited))

    arena.check(built.code in (1, 36), f"exit code {built.code}:\n{built.output}")
    arena.check(arena.revision() == revision, "the revision moved")
    arena.right(runs=2)


@contextlib.contextmanager
def _filled(filler: Path, *, free_pages: int) -> Iterator[None]:
    block = b"\0" * 4096
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(block)
    size = filler.stat().st_size
    os.truncate(filler, max(0, size - free_pages * 4096))
    try:
        yield
    finally:
        filler.unlink()
