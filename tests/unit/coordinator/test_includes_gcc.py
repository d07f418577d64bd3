"""Whatever gcc reads, the scan has found: on trees and flags that nobody thought of."""

from __future__ import annotations

import posixpath
import random
import subprocess
from pathlib import Path

import pytest

from tests.fakes.tree import scan

FOLDERS = ("", "i", "j", "i/k", "s", "include")
NAMES = ("a.h", "b.h", "k/a.h", "stddef.h", "limits.h")
FLAGS = ("-I", "-iquote", "-isystem", "-idirafter", "-I")
# gcc ends at a header that is missing: each is asked for first.
LINES = (
    '#if __has_include("{}")\n#include "{}"\n#endif',
    "#if __has_include(<{}>)\n  # /**/ include \\\n <{}> // x\n#endif",
    "#if __has_include_next(<{}>)\n#include_next <{}>\n#endif",
    '#if !defined X && __has_include("{}")\n#import "{}"\n#endif',
    '#define H "{}"\n#if __has_include(H)\n#include H\n#endif\n#undef H',
    "#define H <{}>\n#if __has_include(H)\n#include H\n#endif\n#undef H",
    "/*\n#include <{}>\n*/", "#define X", "#undef H", "#include <stdio.h>",
)  # fmt: skip


def _tree(chance: random.Random) -> tuple[dict[str, str], list[str]]:
    files = {}
    paths = {posixpath.join(chance.choice(FOLDERS), chance.choice(NAMES)) for _ in range(chance.randrange(2, 14))}
    for path in (*sorted(paths), "s/m.c"):
        lines = [chance.choice(LINES).replace("{}", _name(chance)) for _ in range(chance.randrange(5))]
        files[path] = "#pragma once\n" + "\n".join(lines) + "\n"
    flags = [chance.choice(FLAGS) + chance.choice((" ", "")) + (chance.choice(FOLDERS) or ".") for _ in range(4)]
    if chance.random() < 0.2:
        flags.insert(chance.randrange(4), f"-include {_name(chance)}")
    return files, flags


def _name(chance: random.Random) -> str:
    return chance.choice((*NAMES, *NAMES, "../a.h", "../i/b.h", "./b.h", "../i/../j/a.h"))


def _read_by_gcc(root: Path, command: str, folder: str) -> set[str]:
    done = subprocess.run(
        ["sh", "-c", f"{command} -M -MT x"], cwd=root / folder, capture_output=True, text=True, check=False
    )
    read = set()
    for word in done.stdout.replace("\\\n", " ").split()[1:]:
        path = posixpath.normpath(posixpath.join(root / folder, word))
        if path.startswith(f"{root}/") and Path(path).is_file():
            read.add(path[len(str(root)) + 1 :])
    return read


@pytest.mark.parametrize("seed", range(8))
def test_whatever_gcc_reads_was_found(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    compared = 0
    for number in range(12):
        files, flags = _tree(chance)
        root = tmp_path / str(number)
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        folder, source = chance.choice((("", "s/m.c"), ("s", "m.c"), ("i", "../s/m.c")))
        command = f"gcc {' '.join(flags)} {source}"

        read = _read_by_gcc(root, command, folder)

        found = scan(files, command, root=str(root), cwd=folder)
        assert read <= found.paths, (files, command, folder)
        compared += len(read)
    assert compared > 12
