"""How long it takes to read a build.ninja of 100,000 edges, in this process: parsed, kept, and all its commands."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import timing
from benchmarks.timing import Row, Sample
from coordinator.importers.ninja.compiled import load
from coordinator.importers.ninja.parser import read

COMPILES, LIBRARIES = 98_000, 2_000

_PLAIN_RULES = """\
cc = gcc
cflags = -O2 -g
rule CXX
  command = $cc $cflags -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule AR
  command = ar rcs $out $in
rule LINK
  command = $cc -o $out $in
"""
_CMAKE_RULES = """\
ninja_required_version = 1.5
rule CXX
  depfile = $DEP_FILE
  deps = gcc
  command = ${LAUNCHER}${CODE_CHECK}/usr/bin/c++ $DEFINES $INCLUDES $FLAGS -MD -MT $out -MF $DEP_FILE -o $out -c $in
  description = Building CXX object $out
rule AR
  command = $PRE_LINK && /usr/bin/ar qc $TARGET_FILE $LINK_FLAGS $in && $POST_BUILD
rule LINK
  command = c++ $FLAGS $in -o $TARGET_FILE
"""


def manifest(*, cmake: bool) -> str:
    """98,000 compiles of 3 to 5 inputs, 2,000 archives and a link; cmake: with the variables that CMake writes."""
    chosen = random.Random(1)
    headers = [f"include/mod{number % 97}/h{number}.h" for number in range(COMPILES // 10)]
    lines = [_CMAKE_RULES if cmake else _PLAIN_RULES]
    objects: list[list[str]] = [[] for _ in range(LIBRARIES)]
    for number in range(COMPILES):
        library = number * LIBRARIES // COMPILES
        output = f"obj/lib{library}/unit{number}.cc.o"
        objects[library].append(output)
        used = " ".join(chosen.sample(headers, chosen.randint(2, 4)))
        line = f"build {output}: CXX src/lib{library}/unit{number}.cc | {used}"
        if cmake:
            line += (
                f" || order_lib{library}\n  DEFINES = -DLIB{library}_EXPORTS -DNDEBUG\n  DEP_FILE = {output}.d\n"
                f"  FLAGS = -O2 -g -std=gnu++17 -fPIC\n  INCLUDES = -Iinclude/mod1 -Isrc/lib{library}\n"
                f"  OBJECT_DIR = obj/lib{library}\n  OBJECT_FILE_DIR = obj/lib{library}\n"
            )
        lines.append(line)
    for library in range(LIBRARIES):
        line = f"build lib/lib{library}.a: AR {' '.join(objects[library])}"
        if cmake:
            lines.append(f"build order_lib{library}: phony || gen.h\n")
            line += f"\n  POST_BUILD = :\n  PRE_LINK = :\n  TARGET_FILE = lib/lib{library}.a\n"
        lines.append(line)
    lines.append("build app: LINK " + " ".join(f"lib/lib{library}.a" for library in range(LIBRARIES)))
    return "\n".join(lines) + "\n"


def tables(home: Path) -> list[Row]:
    """Two styles of file, three things to do with each; without garbage collection, as in a command."""
    found = []
    gc.disable()
    try:
        for style in ("plain", "cmake"):
            path, kept = home / f"{style}.ninja", home / f"{style}.msgpack"
            path.write_text(manifest(cmake=style == "cmake"))
            loaded = load(path, kept)
            taken = {
                "parse": [_timed(lambda path=path: read(path)) for _ in range(timing.ROUNDS)],
                "load what was kept": [
                    _timed(lambda path=path, kept=kept: load(path, kept)) for _ in range(timing.ROUNDS)
                ],
                "all commands": [
                    _timed(lambda loaded=loaded: [loaded.command(edge) for edge in loaded.edges])
                    for _ in range(timing.ROUNDS)
                ],
            }
            found += timing.rows(f"{style}, {path.stat().st_size / 1e6:.0f} MB", taken)
    finally:
        gc.enable()
    return found


def _timed(what: Callable[[], object]) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    what()
    return Sample(time.perf_counter() - wall, time.process_time() - cpu)
