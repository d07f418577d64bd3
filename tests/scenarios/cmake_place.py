"""A CMake project in a folder, built there by the real ninja and by windrow-ninja, from the same configured tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.real import comparing
from tests.scenarios.ninja_pair import NINJA

WINDROW_NINJA = Path(sys.executable).parent / "windrow-ninja"
MISSING = next((name for name in ("cmake", "cc") if shutil.which(name) is None), "")
# As for `project(name C)`, without the seconds that finding out what the compiler can do takes.
HEAD = """\
cmake_minimum_required(VERSION 3.20)
set(CMAKE_C_COMPILER_WORKS 1)
set(CMAKE_C_ABI_COMPILED 1)
project(it C)
"""


class Built(NamedTuple):
    """The exit code, what was said, and the outputs whose commands windrow-ninja executed, relative to the folder."""

    code: int
    said: str
    executed: frozenset[str] = frozenset()


class CMakePlace:
    """home: an empty folder. The sources and the build folder lie in `tree`."""

    def __init__(self, home: Path) -> None:
        self.home, self.tree = home, home / "tree"
        self.tree.mkdir()

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            place = self.tree / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    def configure(self, *words: str) -> None:
        """From nothing, to be built by windrow-ninja."""
        shutil.rmtree(self.tree / "build", ignore_errors=True)
        words = (f"-DCMAKE_MAKE_PROGRAM={WINDROW_NINJA}", *(words or ("-G", "Ninja")))
        done = self._call("cmake", "-S", ".", "-B", "build", *words)
        assert done.returncode == 0, done.stdout

    def by_ninja(self, *words: str) -> Built:
        assert NINJA is not None, "PyPI's ninja is in the dev dependencies"
        done = self._call(NINJA, "-C", "build", *words)
        return Built(done.returncode, done.stdout)

    def by_windrow(self, *words: str) -> Built:
        report = self.home / "report.json"
        report.unlink(missing_ok=True)
        done = self._call(str(WINDROW_NINJA), "-C", "build", "--report", str(report), *words)
        edges = json.loads(report.read_text())["edges"] if report.exists() else []
        ran = (output for edge in edges if edge["how"] == "executed" for output in edge["outputs"])
        return Built(done.returncode, done.stdout, frozenset(ran))

    def outputs(self) -> dict[str, str]:
        """Digests of all files of the build folder that are neither tool's own."""
        found = comparing.tree(self.tree / "build")
        return {path: state for path, state in found.items() if ".windrow/" not in path and ".ninja_" not in path}

    def _call(self, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("WINDROW_")}
        environ["WINDROW_CACHE_DIR"] = str(self.home / "cache")
        return subprocess.run(
            words, cwd=self.tree, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
