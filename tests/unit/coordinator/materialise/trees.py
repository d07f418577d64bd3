"""Trees before and after, and what takes one to the other."""

from __future__ import annotations

import contextlib
from pathlib import Path

from coordinator.commit.materialise import Applied, Staging, apply
from shared import hashing
from shared.storage.memory import MemoryBlobs

OLD = {"out/a": b"old a", "out/b": b"old b", "bin/tool": b"old tool", "gone/deep/x": b"x", "src/main.c": b"source"}
NEW = {"out/a": b"new a", "out/new/c": b"new c", "bin/tool": b"new tool", "out/b": b"old b", "src/main.c": b"source"}


def lay_out(root: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".windrow" not in path.parts
    }


def folders(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_dir() and ".windrow" not in path.relative_to(root).parts
    }


def stage(staging: Staging, files: dict[str, bytes]) -> Staging:
    blobs = MemoryBlobs()
    for path, data in files.items():
        blobs.put(hashing.of_bytes(data), data)
        staging.stage(path, hashing.of_bytes(data), "file", blobs)
    return staging


def difference(before: dict[str, bytes], after: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, str]]:
    writes = {path: data for path, data in after.items() if before.get(path) != data}
    return writes, {path: hashing.of_bytes(data) for path, data in before.items() if path not in after}


def change(root: Path, build: str = "b-1") -> Applied:
    state = root / ".windrow"
    writes, gone = difference(OLD, NEW)
    with contextlib.closing(Staging(state, build)) as staging:
        return apply(root, state, stage(staging, writes), gone)
