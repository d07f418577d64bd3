"""z3 by CMake: 905 edges, and a generated source tree; the units of its util library are built."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import CMAKE, Edit, Project, Slice

_SHA256 = "46b7a3256c275cb041ddece36b20ab1ed28082f3d2b4722d906c8ca68f251f0c"


def _fetch(cache: Path) -> Path:
    folder = sources.sdist("z3-solver", "5.4.0.0", _SHA256, "core", cache)
    # The sdist leaves the examples out, and the build description names them.
    (folder / "examples").mkdir(exist_ok=True)
    (folder / "examples" / "CMakeLists.txt").touch()
    return folder


PROJECT = Project(
    name="z3",
    version="5.4.0",
    fetch=_fetch,
    configure=(*CMAKE, "-DCMAKE_BUILD_TYPE=Debug"),
    header=Edit("src/util/hash.h", "#pragma once", "#pragma once\nextern int another_name;"),
    source=Edit(
        "src/util/approx_nat.cpp", '#include "util/approx_nat.h"', '#include "util/approx_nat.h"\nint another_name;'
    ),
    flag=("cmake", "-DCMAKE_CXX_FLAGS=-fno-asynchronous-unwind-tables", "build"),
    deleted="src/util/CMakeFiles/util.dir/approx_set.cpp.o",
    slice=Slice("src/util/CMakeFiles/util.dir/*.o"),
    requirements=("cmake>=3.29",),
)
