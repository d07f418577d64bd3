"""z3 by CMake: 905 edges, and a generated source tree; some units with debug information, or every edge."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real import sources
from benchmarks.real.project import CMAKE, Edit, Project, Slice

_SHA256 = "46b7a3256c275cb041ddece36b20ab1ed28082f3d2b4722d906c8ca68f251f0c"

# gcc 12 has no <format>, and nine units name it: as much of it as they use.
_FORMAT = """\
#pragma once
#include <sstream>
#include <string>
#include <string_view>
namespace std {
template <class... Given> string format(string_view text, const Given &...given) {
    ostringstream out;
    auto put = [&](const auto &value) {
        auto at = text.find("{}");
        out << text.substr(0, at) << value;
        text.remove_prefix(at + 2);
    };
    (put(given), ...);
    out << text;
    return out.str();
}
} // namespace std
"""


def _fetch(cache: Path) -> Path:
    folder = sources.sdist("z3-solver", "5.4.0.0", _SHA256, "core", cache)
    # The sdist leaves the examples out, and the build description names them.
    (folder / "examples").mkdir(exist_ok=True)
    (folder / "examples" / "CMakeLists.txt").touch()
    (folder / "src" / "format").write_text(_FORMAT)
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

# Every edge. Not optimised: that takes half an hour a build as it is.
WHOLE = PROJECT._replace(
    name="z3-whole",
    form="not optimised",
    configure=(*CMAKE, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG"),
    # Read by a command that generates sources, too.
    header=Edit(
        "src/sat/tactic/sat_tactic.h",
        "#pragma once",
        "#pragma once\nstatic int another_name __attribute__((used)) = 1;",
    ),
    # Of one library's units: whoever builds has CMake configure anew.
    flag=(
        *("sh", "-c", 'echo "target_compile_options(polynomial PRIVATE -fno-asynchronous-unwind-tables)" >> "$0"'),
        "src/src/math/polynomial/CMakeLists.txt",
    ),
    slice=None,
)
