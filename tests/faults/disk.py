"""Small file systems, and filling them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEGABYTE = 1 << 20
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system or become another user")


@contextmanager
def small_disk(folder: Path, megabytes: int = 16) -> Iterator[Path]:
    """A file system of this size in a folder while the block runs."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs"]
    mounted = subprocess.run(["mount", *options, folder], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a file system here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, *, leaving: int = 0) -> Path:
    """Take all space of a file system but so many bytes; the file that takes it."""
    filler = folder / ".filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(folder).free - leaving) > 0:
            file.write(b"\0" * min(free, MEGABYTE))
    return filler
