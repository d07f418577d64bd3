"""z3 by CMake: 905 edges, and a generated source tree; units of its util library compiled, or every edge in short."""

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

# Every edge, without an hour of compiles: the compiler reads all of a unit's headers, and the macros that they leave
# are its object; a link is the digests of objects. Depfiles, generated sources and their order are as they come.
WHOLE = PROJECT._replace(
    name="z3-whole",
    form="its units preprocessed instead of compiled",
    configure=(
        # gcc 12 has no <format>, and nine units name it.
        *("sh", "-c", 'touch src/src/format && exec "$0" "$@"'),
        *CMAKE,
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_FLAGS_RELEASE=-E -dM -DNDEBUG",
        "-DCMAKE_CXX_CREATE_SHARED_LIBRARY=sha256sum <OBJECTS> > <TARGET>",
        "-DCMAKE_CXX_LINK_EXECUTABLE=sha256sum <OBJECTS> > <TARGET>",
    ),
    # Read by a command that generates sources, too.
    header=Edit("src/sat/tactic/sat_tactic.h", "#pragma once", "#pragma once\n#define ANOTHER 1"),
    source=Edit("src/util/approx_nat.cpp", "approx_nat::approx_nat(", "#define ANOTHER 2\napprox_nat::approx_nat("),
    # Of one library's units: whoever builds has CMake configure anew.
    flag=(
        *("sh", "-c", 'echo "target_compile_options(polynomial PRIVATE -DANOTHER=3)" >> "$0"'),
        "src/src/math/polynomial/CMakeLists.txt",
    ),
    slice=None,
)
