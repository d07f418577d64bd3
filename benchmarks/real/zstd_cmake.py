"""zstd 1.5.4 by its own CMakeLists: static and shared library, and three programs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import CMAKE, Edit, Project

_SHA256 = "8cf4bbb65e77ec348d052c8d6230eba66d435bddf64c8b5be2fcb16880c19953"


def _fetch(cache: Path) -> Path:
    return sources.debian("libzstd", "1.5.4", _SHA256, cache)


PROJECT = Project(
    name="zstd",
    version="1.5.4",
    fetch=_fetch,
    configure=("cmake", "-S", "src/build/cmake", *CMAKE[3:]),
    header=Edit("lib/common/fse.h", "#  define FSE_MAX_MEMORY_USAGE 14", "#  define FSE_MAX_MEMORY_USAGE 13"),
    source=Edit(
        "programs/util.c", "int UTIL_requireUserConfirmation(", "int UTIL_another;\nint UTIL_requireUserConfirmation("
    ),
    flag=("cmake", "-DCMAKE_C_FLAGS=-fno-asynchronous-unwind-tables", "build"),
    deleted="lib/CMakeFiles/libzstd_static.dir/*/lib/common/pool.c.o",
    touched="lib/compress/hist.c",
)

# For tests: without optimisation a unit takes a fifth of the time; and the largest units are those for old formats.
SHORT = PROJECT._replace(
    name="zstd-short",
    configure=(*PROJECT.configure, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O0", "-DZSTD_LEGACY_SUPPORT=OFF"),
    flag=("cmake", "-DCMAKE_C_FLAGS=-O0 -fno-asynchronous-unwind-tables", "build"),
    header=Edit("lib/common/pool.h", "#define POOL_H", "#define POOL_H\nextern int POOL_another;"),
    source=Edit("lib/common/pool.c", "size_t POOL_sizeof(", "int POOL_another;\nsize_t POOL_sizeof("),
    targets=("lib/libzstd.a",),
)
