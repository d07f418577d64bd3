"""Generated build.ninja projects: units, headers, archives, one program, and a compiler that only pretends.

The pretended compiler is a C program of its own that reads the unit and its headers, and writes an object and a
depfile: what a compile costs any build tool, without the compile.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

HEADERS_A_UNIT = 20
UNITS_AN_ARCHIVE = 50

_FAKECC = r"""
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
/* cc UNIT OBJECT DEPFILE: the object holds the unit's first line and a sum of all that it includes */
int main(int argc, char **argv) {
    FILE *in = fopen(argv[1], "r"), *out = fopen(argv[2], "w"), *dep = argc > 3 ? fopen(argv[3], "w") : NULL;
    char line[512], name[512];
    unsigned long sum = 5381;
    if (!in || !out) { perror(argv[1]); return 1; }
    if (dep) fprintf(dep, "%s: %s", argv[2], argv[1]);
    while (fgets(line, sizeof line, in)) {
        for (char *c = line; *c; c++) sum = sum * 33 + (unsigned char)*c;
        if (sscanf(line, "#include \"%500[^\"]\"", name) == 1) {
            FILE *h = fopen(name, "r");
            if (!h) { fprintf(stderr, "%s: fatal error: %s: No such file or directory\n", argv[1], name); return 1; }
            if (dep) fprintf(dep, " \\\n  %s", name);
            while (fgets(line, sizeof line, h)) for (char *c = line; *c; c++) sum = sum * 33 + (unsigned char)*c;
            fclose(h);
        }
    }
    fprintf(out, "%lu\n", sum);
    if (dep) { fprintf(dep, "\n"); fclose(dep); }
    return fclose(out);
}
"""


def write(folder: Path, edges: int, *, seed: int = 7) -> None:
    """A project of about so many edges in a folder; also builds the pretended compiler there."""
    chance = random.Random(seed)
    units = edges * UNITS_AN_ARCHIVE // (UNITS_AN_ARCHIVE + 1)
    headers = max(HEADERS_A_UNIT, units // 10)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fakecc.c").write_text(_FAKECC)
    subprocess.run(["gcc", "-O1", "-o", "cc", "fakecc.c"], cwd=folder, check=True)
    for number in range(headers):
        place = folder / "include" / f"d{number // 200}"
        if number % 200 == 0:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"h{number}.h").write_text(f"#define H{number} {number}\n")
    lines = [
        "ninja_required_version = 1.5",
        "rule cc",
        "  command = ./cc $in $out $out.d",
        "  depfile = $out.d",
        "  deps = gcc",
        "  description = CC $out",
        "rule ar",
        "  command = cat $in > $out",
        "  description = AR $out",
    ]
    archives: list[str] = []
    objects: list[str] = []
    for number in range(units):
        part = number // UNITS_AN_ARCHIVE
        place = folder / "src" / f"p{part}"
        if number % UNITS_AN_ARCHIVE == 0:
            place.mkdir(parents=True, exist_ok=True)
        chosen = sorted(chance.sample(range(headers), HEADERS_A_UNIT))
        text = "".join(f'#include "include/d{h // 200}/h{h}.h"\n' for h in chosen)
        (place / f"u{number}.c").write_text(f"/* unit {number} */\n{text}")
        lines.append(f"build obj/p{part}/u{number}.o: cc src/p{part}/u{number}.c")
        objects.append(f"obj/p{part}/u{number}.o")
        if len(objects) == UNITS_AN_ARCHIVE or number == units - 1:
            archives.append(f"lib/p{part}.a")
            lines.append(f"build {archives[-1]}: ar {' '.join(objects)}")
            objects = []
    lines += [f"build program: ar {' '.join(archives)}", "default program", ""]
    (folder / "build.ninja").write_text("\n".join(lines))
