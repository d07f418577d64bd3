"""DuckDB by CMake: 2,131 edges; units of its common library are built."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import CMAKE, Edit, Project, Slice

_SHA256 = ""


def _fetch(cache: Path) -> Path:
    return sources.sdist("duckdb", "2.0.0", _SHA256, "external/duckdb", cache)


PROJECT = Project(
    name="duckdb",
    version="2.0.0",
    fetch=_fetch,
    configure=(
        *CMAKE,
        "-DCMAKE_BUILD_TYPE=Debug",
        "-DOVERRIDE_GIT_DESCRIBE=v2.0.0-0-gabcdef0",
        "-DBUILD_UNITTESTS=OFF",
        "-DBUILD_SHELL=OFF",
        "-DDISABLE_UNITY=1",
    ),
    header=Edit("", "", ""),
    source=Edit("", "", ""),
    flag=("cmake", "-DCMAKE_CXX_FLAGS=-fno-asynchronous-unwind-tables", "build"),
    deleted="",
    slice=Slice("src/common/CMakeFiles/duckdb_common.dir/*.o"),
    requirements=("cmake>=3.29,<4",),
)
