"""The zstd C library out of the sdist of PyPI's `zstandard`, built by declared rules and by a Makefile.

The release is pinned to the last one that carries the library as separate files (39 units, 41 headers).
Both builds run the same commands: `-c` a file, an archive, a program that round-trips data, and the run of it.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.real.sdist import Sdist, cache_folder, fetch

SDIST = Sdist(
    "zstandard",
    "0.14.1",
    "5dd700e52ec28c64d43f681ccde76b6436c8f89a332d6c9e22a6b629f28daeb5",
    "zstandard-0.14.1",
)
FLAGS = "-O1"

ROUNDTRIP = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "zstd.h"

int main(void) {
    size_t const size = 1 << 18;
    char *text = malloc(size), *back = malloc(size);
    for (size_t i = 0; i < size; i++) text[i] = (char)((i * i >> 7) % 61 + 'A');
    size_t const bound = ZSTD_compressBound(size);
    void *packed = malloc(bound);
    for (int level = 1; level <= 9; level += 4) {
        size_t const n = ZSTD_compress(packed, bound, text, size, level);
        if (ZSTD_isError(n)) return 1;
        if (ZSTD_decompress(back, size, packed, n) != size || memcmp(text, back, size)) return 2;
        printf("level %d: %zu -> %zu\n", level, size, n);
    }
    free(text), free(back), free(packed);
    return 0;
}
"""

RULES = """\
[project]
name = "{name}"

[toolchain]
tools = ["gcc", "ar"]

[scan]
ignore = ["make/"]

[[rule]]
name = "cc"
each = "zstd/**/*.c"
inputs = ["zstd/**/*.h"]
command = ["gcc", {flags}, "-Izstd", "-Izstd/common", "-DXXH_NAMESPACE=ZSTD_",
           "-MMD", "-MF", "{{depfile}}", "-c", "{{in}}", "-o", "{{out}}"]
outputs = ["build/{{path}}.o"]
depfile = "build/{{path}}.d"

[[rule]]
name = "archive"
inputs = ["rule:cc"]
command = ["ar", "rcsD", "{{out}}", "{{in}}"]
outputs = ["build/libzstd.a"]

[[rule]]
name = "cc-test"
each = "test/*.c"
inputs = ["zstd/zstd.h"]
command = ["gcc", {flags}, "-Izstd", "-MMD", "-MF", "{{depfile}}", "-c", "{{in}}", "-o", "{{out}}"]
outputs = ["build/{{path}}.o"]
depfile = "build/{{path}}.d"

[[rule]]
name = "link"
inputs = ["rule:cc-test", "rule:archive"]
command = ["gcc", "{{in}}", "-o", "{{out}}", "-Lbuild", "-lzstd", "-lpthread"]
outputs = ["build/roundtrip"]

[[rule]]
name = "run"
inputs = ["rule:link"]
command = "./{{in}} > {{out}}"
outputs = ["build/roundtrip.txt"]
"""

MAKEFILE = """\
FLAGS := {flags}
SRC := $(sort $(shell find zstd -name '*.c'))
OBJ := $(SRC:%.c=make/%.o)
all: make/roundtrip.txt
make/zstd/%.o: zstd/%.c make/flags
\t@mkdir -p $(@D)
\tgcc $(FLAGS) -Izstd -Izstd/common -DXXH_NAMESPACE=ZSTD_ -MMD -MP -MF $(@:.o=.d) -c $< -o $@
make/libzstd.a: $(OBJ)
\trm -f $@ && ar rcsD $@ $^
make/test/%.o: test/%.c make/flags
\t@mkdir -p $(@D)
\tgcc $(FLAGS) -Izstd -MMD -MP -MF $(@:.o=.d) -c $< -o $@
make/roundtrip: make/test/roundtrip.o make/libzstd.a
\tgcc make/test/roundtrip.o -o $@ -Lmake -lzstd -lpthread
make/roundtrip.txt: make/roundtrip
\t./$< > $@
make/flags: FORCE
\t@mkdir -p make; echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
FORCE:
-include $(OBJ:.o=.d) make/test/roundtrip.d
"""


class Case(NamedTuple):
    """One change to the tree, and whether it is one (a no-op and a touch are not)."""

    name: str
    change: Callable[[Path], None]


def _unpack(source: Path, folder: Path) -> None:
    with tarfile.open(source) as packed:
        for member in packed.getmembers():
            place = re.fullmatch(r"zstandard-[\d.]+/(zstd/[\w/]+\.[ch])", member.name)
            if place and member.isfile() and (content := packed.extractfile(member)):
                target = folder / place[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def project(folder: Path, *, flags: str = FLAGS, name: str = "zstd", cache: Path | None = None) -> Path:
    """A project folder with the library, the test program, the rules and the Makefile."""
    _unpack(fetch(SDIST, cache or cache_folder()), folder)
    (folder / "test").mkdir()
    (folder / "test" / "roundtrip.c").write_text(ROUNDTRIP)
    (folder / ".gitignore").write_text("build/\nmake/\n.windrow/\n")
    (folder / "windrow.toml").write_text(RULES.format(flags=_quoted(flags), name=name))
    (folder / "Makefile").write_text(MAKEFILE.format(flags=flags))
    return folder


def _quoted(flags: str) -> str:
    return ", ".join(f'"{flag}"' for flag in flags.split())


def _edit(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1))

    return change


def _touch(folder: Path) -> None:
    for path in folder.rglob("*.[ch]"):
        path.touch()


def _nothing(_folder: Path) -> None:
    pass


def _delete(folder: Path) -> None:
    (folder / "zstd" / "deprecated" / "zbuff_common.c").unlink()


def _flags(folder: Path) -> None:
    makefile, rules = folder / "Makefile", folder / "windrow.toml"
    flags = makefile.read_text().partition("\n")[0].removeprefix("FLAGS := ")
    # It changes what every unit is compiled to, whatever the other flags are.
    more = f"{flags} -fno-asynchronous-unwind-tables"
    makefile.write_text(makefile.read_text().replace(flags, more, 1))
    rules.write_text(rules.read_text().replace(_quoted(flags), _quoted(more)))


# In this order, each on the tree that the one before left.
CASES = (
    Case("clean", _nothing),
    Case("no-op", _nothing),
    Case("touch every file", _touch),
    Case(
        "edit a header",
        _edit("zstd/common/fse.h", "#  define FSE_MAX_MEMORY_USAGE 14", "#  define FSE_MAX_MEMORY_USAGE 13"),
    ),
    Case(
        "edit a .c",
        _edit("zstd/compress/hist.c", "unsigned HIST_isError(size_t code)", "unsigned HIST_isError (size_t code)"),
    ),
    Case("delete a .c", _delete),
    Case("change a flag", _flags),
)


def make(folder: Path, jobs: int = 2) -> int:
    """Build with make; how many commands it ran."""
    done = subprocess.run(["make", f"-j{jobs}", "all"], cwd=folder, check=True, capture_output=True, text=True)
    return commands(done.stdout)


def commands(said: str) -> int:
    """How many commands make says it ran."""
    return len([line for line in said.splitlines() if line.startswith(("gcc ", "rm -f", "./"))])


def outputs(folder: Path, under: str) -> dict[str, bytes]:
    """What a build left under its folder, without depfiles and flags."""
    top = folder / under
    return {
        str(path.relative_to(top)): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file() and path.suffix in (".o", ".a", ".txt", "") and path.name != "flags"
    }


def readers(folder: Path, header: str) -> set[str]:
    """The units whose make depfile names a header."""
    found = set()
    for depfile in (folder / "make").rglob("*.d"):
        # The compiler spells it zstd/compress/../common/fse.h.
        if header in map(posixpath.normpath, depfile.read_text().split()):
            found.add(str(depfile.relative_to(folder / "make").with_suffix(".c")))
    return found
