"""Whether two engines left the same build folder, bit for bit; what need not be the same, and why."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

Tree = Mapping[str, str]

# Of either engine or of whoever configured; everything else in the build folder is compared.
ASIDE = (
    (".ninja_log", "ninja's own books"),
    (".ninja_deps", "ninja's own books"),
    (".windrow/*", "Windrow's own books"),
    ("CMakeFiles/_CMakeLTOTest-*", "what CMake builds for itself while it configures; link-time code has random names"),
    ("CMakeFiles/CMake*.log", "a log of configuring, with its times and temporary names"),
    ("CMakeFiles/CMakeConfigureLog.yaml", "a log of configuring, with its times and temporary names"),
    ("meson-logs/*", "logs of configuring and testing, with times"),
    ("meson-info/intro-tests.json", "Meson writes its lists in another order each time it configures"),
    ("*/__pycache__/*.pyc", "what Python writes beside the modules of scripts: no edge names it"),
    ("meson-private/*", "Meson's own state: pickles whose order follows the hash seed of the run"),
)


def tree(build: Path, differs: Sequence[tuple[str, str]] = ()) -> Tree:
    """What each file of a build folder holds: digest and whether it can be executed, or where a link leads."""
    aside = [pattern for pattern, _ in (*ASIDE, *differs)]
    return {
        path: _state(build / path)
        for path in sorted(_files(build))
        if not any(fnmatchcase(path, pattern) for pattern in aside)
    }


def differences(expected: Tree, found: Tree) -> list[str]:
    """The files that differ, each with how."""
    told = []
    for path in sorted({*expected, *found}):
        if path not in found:
            told.append(f"{path} is missing")
        elif path not in expected:
            told.append(f"{path} is extra")
        elif expected[path] != found[path]:
            told.append(f"{path} differs")
    return told


def _files(build: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(build):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*files, *links):
            yield os.path.relpath(os.path.join(folder, name), build)


def _state(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{digest} {'x' if path.stat().st_mode & 0o100 else '-'}"
