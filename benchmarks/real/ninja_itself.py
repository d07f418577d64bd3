"""ninja 1.11.1 by CMake: its library, itself, and its tests."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import CMAKE, Edit, Project

_SHA256 = "31747ae633213f1eda3842686f83c2aa1412e0f5691d1c14dbbcc67fe7400cea"


def _fetch(cache: Path) -> Path:
    return sources.debian("ninja-build", "1.11.1", _SHA256, cache)


PROJECT = Project(
    name="ninja",
    version="1.11.1",
    fetch=_fetch,
    configure=CMAKE,
    header=Edit("src/status.h", "#include <map>", "#include <map>\nextern int another_name;"),
    source=Edit("src/version.cc", 'kNinjaVersion = "1.11.1"', 'kNinjaVersion = "1.11.1.other"'),
    flag=("cmake", "-DCMAKE_CXX_FLAGS=-fno-asynchronous-unwind-tables", "build"),
    deleted="CMakeFiles/libninja.dir/src/state.cc.o",
    touched="src/clean.cc",
)
