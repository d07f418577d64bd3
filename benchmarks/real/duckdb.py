"""DuckDB by CMake: 2,131 edges; units of its common library are built."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import CMAKE, Edit, Project, Slice

_SHA256 = "09de511ef0dc76a5213e8d3d87a8b89bb4d3e8a6fe73a9f60dc001269946b44f"


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
    header=Edit("src/include/duckdb/common/checksum.hpp", "#pragma once", "#pragma once\nextern int another_name;"),
    source=Edit("src/common/checksum.cpp", "namespace duckdb {", "int another_name;\nnamespace duckdb {"),
    flag=("cmake", "-DCMAKE_CXX_FLAGS=-fno-asynchronous-unwind-tables", "build"),
    deleted="src/common/CMakeFiles/duckdb_common.dir/assert.cpp.o",
    slice=Slice("src/common/CMakeFiles/duckdb_common.dir/*.o"),
    requirements=("cmake>=3.29",),
)
