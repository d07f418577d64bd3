"""Source archives from PyPI, pinned by digest, fetched once and kept between runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple


class Sdist(NamedTuple):
    """One release. file: its archive's name without `.tar.gz`."""

    name: str
    version: str
    sha256: str
    file: str


def cache_folder() -> Path:
    """Where archives are kept between runs, for tests and benchmarks alike."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "windrow-benchmarks"


def fetch(wanted: Sdist, cache: Path) -> Path:
    """The archive, fetched by pip once per cache folder; CalledProcessError when it cannot be had."""
    kept = cache / f"{wanted.file}.tar.gz"
    if kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == wanted.sha256:
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        asked = Path(name) / "wanted.txt"
        asked.write_text(f"{wanted.name}=={wanted.version} --hash=sha256:{wanted.sha256}\n")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-binary", ":all:",
             "--no-build-isolation", "--no-deps", "--require-hashes", "--dest", name, "-r", str(asked)],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )  # fmt: skip
        # By a rename: others may fetch it at the same time.
        return (Path(name) / kept.name).replace(kept)
