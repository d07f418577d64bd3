"""Real projects as lists of compiles: zstd, z3 and gRPC, out of the sdists that carry their sources."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.real import zstd
from benchmarks.real.sdist import Sdist, cache_folder, fetch

Z3 = Sdist(
    "z3-solver",
    "4.15.4.0",
    "928c29b58c4eb62106da51c1914f6a4a55d0441f8f48a81b9da07950434a8946",
    "z3_solver-4.15.4.0",
)
GRPC = Sdist("grpcio", "1.76.0", "7be78388d6da1a25c0d5ec506523db58b18be22d9c37d8d3a32c08be4987bd73", "grpcio-1.76.0")
# As its setup.py has them.
GRPC_FOLDERS = (
    *("src/python/grpcio", "include", ".", "third_party/abseil-cpp", "third_party/address_sorting/include"),
    *("third_party/cares/cares/include", "third_party/cares", "third_party/cares/cares"),
    *("third_party/cares/cares/src/lib/include", "third_party/cares/cares/src/lib", "third_party/cares/config_linux"),
    *("third_party/re2", "third_party/boringssl-with-bazel/src/include", "third_party/upb", "src/core/ext/upb-gen"),
    *("src/core/ext/upbdefs-gen", "third_party/utf8_range", "third_party/xxhash", "third_party/zlib"),
)
GRPC_FLAGS = "-DOPENSSL_NO_ASM=1 -D_GNU_SOURCE -DHAVE_CONFIG_H=1 -DGRPC_PYTHON_BUILD=1"
# Its configuration wants them for examples that the sdist leaves out.
Z3_EXAMPLES = ("c++", "tptp", "c", "maxsat", "dotnet", "java", "ml", "python")
Z3_NOT_BUILT = ("src/test/", "src/api/ml/", "src/api/java/", "src/api/julia/", "src/api/python/")


class Project(NamedTuple):
    """A tree, where in it the commands run, and the compile of each source in the form of a shell text.

    The commands write nothing that matters here: their last words are `-o` and a name.
    """

    name: str
    root: Path
    commands: dict[str, str]


def zstd_units(folder: Path) -> Project:
    """39 units of C."""
    root = zstd.project(folder / "zstd")
    sources = sorted(path.relative_to(root).as_posix() for path in root.glob("zstd/**/*.c"))
    flags = f"{zstd.FLAGS} -Izstd -Izstd/common -DXXH_NAMESPACE=ZSTD_"
    return Project("zstd", root, {source: f"gcc {flags} -c {source} -o unit.o" for source in sources})


def z3_units(folder: Path) -> Project:
    """More than 800 units of C++, configured, so that the headers it generates are there."""
    root = _unpacked(Z3, folder, r"core/") / "core"
    for name in Z3_EXAMPLES:
        (root / "examples" / name).mkdir(parents=True)
    subprocess.run([sys.executable, "scripts/mk_make.py"], cwd=root, check=True, capture_output=True)
    found = sorted(path.relative_to(root).as_posix() for path in root.glob("src/**/*.cpp"))
    sources = [source for source in found if not source.startswith(Z3_NOT_BUILT)]
    flags = "-O1 -std=c++20 -D_MP_INTERNAL -DNDEBUG -I../src"
    return Project("z3", root, {one: f"cd build && g++ {flags} -c ../{one} -o unit.o" for one in sources})


def grpc_units(folder: Path) -> Project:
    """More than 1,500 units of C, C++ and assembler, with nineteen folders in their search path."""
    root = _unpacked(GRPC, folder, r"(?:src|include|third_party)/")
    text = (root / "src/python/grpcio/grpc_core_dependencies.py").read_text()
    sources = ast.literal_eval(text.partition("CORE_SOURCE_FILES = ")[2].partition("\n]\n")[0] + "]")
    folders = " ".join(f"-I{one}" for one in GRPC_FOLDERS)
    drivers = {source: "gcc" if source.endswith((".c", ".S")) else "g++ -std=c++17" for source in sources}
    return Project(
        "gRPC", root, {one: f"{driver} {GRPC_FLAGS} {folders} -c {one} -o unit.o" for one, driver in drivers.items()}
    )


def _unpacked(sdist: Sdist, folder: Path, wanted: str) -> Path:
    with tarfile.open(fetch(sdist, cache_folder())) as packed:
        for member in packed.getmembers():
            place = re.fullmatch(rf"[^/]+/({wanted}.*)", member.name)
            if place and ".." not in member.name and member.isfile() and (content := packed.extractfile(member)):
                target = folder / sdist.name / place[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
    return folder / sdist.name
