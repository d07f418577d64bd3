"""A tree of files in memory, and a scanner of includes over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coordinator.includes import DirectiveCache, Scan, Scanner
from shared import hashing


class MemoryFiles:
    """Files by path; counts how often each was read."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.reads: dict[str, int] = {}

    def content(self, path: str) -> bytes:
        self.reads[path] = self.reads.get(path, 0) + 1
        return self.files[path]

    def digest(self, path: str) -> str:
        return hashing.of_bytes(self.files[path])


def scanner(files: Mapping[str, str | bytes], root: str = "/p", memory: DirectiveCache | None = None) -> Scanner:
    return Scanner(files, MemoryFiles(files), root, memory or DirectiveCache())


def scan(files: Mapping[str, str | bytes], command: Any = "cc -c m.c", root: str = "/p", **more: Any) -> Scan:
    return scanner(files, root).scan(command, **more)
