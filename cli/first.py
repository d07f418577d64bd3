"""First of all: is there still nothing to do? Answered before anything is imported that a build needs.

Only for the plainest ways of asking; everything else is for the commands themselves.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

_STATE = ".windrow"
_PROJECT = "windrow.toml"
_NUMBERED = frozenset(("-j", "-k", "-l"))
_BARE = frozenset(("-v", "--verbose"))


def ninja_rests(arguments: Sequence[str]) -> bool:
    """Whether `windrow-ninja` has nothing to do, which it then has said."""
    return _well(lambda: _ninja_rests(arguments))


def build_rests(arguments: Sequence[str]) -> bool:
    """Whether `windrow build`, without any flag, or `windrow ninja` has nothing to do, which it then has said."""
    command, *words = arguments or ("",)
    if command == "ninja":
        return ninja_rests(words)
    return command == "build" and not any(word.startswith("-") for word in words) and _well(lambda: _build_rests(words))


def _well(rests: Callable[[], bool]) -> bool:
    try:
        return rests()
    except Exception:  # noqa: BLE001 - whatever it is, the command itself comes by it and tells it properly
        return False


def _ninja_rests(arguments: Sequence[str]) -> bool:
    plain = _plain(arguments)
    if plain is None:
        return False
    folder, file, entered, targets = plain
    build = os.path.realpath(os.path.join(folder, file))  # noqa: PTH118 - pathlib would have to be loaded
    where = os.path.dirname(build)  # noqa: PTH120
    for state in (os.path.join(where, _STATE), _above(where)):  # noqa: PTH118
        told = _told(state, folder, targets)
        if told is not None and told.get("build_file") == build:
            if entered:
                sys.stdout.write(f"ninja: Entering directory `{folder}'\n")
            sys.stdout.write("ninja: no work to do.\n")
            return True
    return False


def _build_rests(targets: Sequence[str]) -> bool:
    began = time.monotonic()
    told = _told(_above(os.getcwd()), ".", targets)  # noqa: PTH109
    if told is None:
        return False
    files, revision = int(str(told["files"])), int(str(told["revision"]))
    took = time.monotonic() - began
    sys.stdout.write(
        f"No changes detected ({files:,} file{'' if files == 1 else 's'} checked in {took:.2f}s, rev-{revision:04d}).\n"
    )
    return True


def _told(state: str, folder: str, targets: Sequence[str]) -> Mapping[str, object] | None:
    """What the last build of these targets, typed in a folder, noted down, if it still holds."""
    from coordinator import rest  # noqa: PLC0415 - `--help` and the like ask nothing

    if not state:
        return None
    name = rest.NAMED if targets else rest.FILE
    told = rest.holds(os.path.join(state, name), None, os.environ)  # noqa: PTH118
    return told if told is not None and told.get("typed") == rest.typed(folder, targets) else None


def _above(folder: str) -> str:
    """The state folder of the project that a folder lies in; empty if it lies in none."""
    while True:
        if os.path.exists(os.path.join(folder, _PROJECT)):  # noqa: PTH110, PTH118
            return os.path.join(folder, _STATE)  # noqa: PTH118
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return ""
        folder = parent


def _plain(arguments: Sequence[str]) -> tuple[str, str, bool, list[str]] | None:
    """Folder, file and targets of a command line that asks for targets and no more; None for any other."""
    folder, file, entered = ".", "build.ninja", False
    targets: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "-C":
            folder, entered = next(words, "."), True
        elif word == "-f":
            file = next(words, "build.ninja")
        elif word in _NUMBERED:
            if not next(words, "").isdecimal():
                return None
        elif not word.startswith("-"):
            targets.append(word)
        elif word not in _BARE and not (word[:2] in _NUMBERED and word[2:].isdecimal()):
            return None
    return folder, file, entered, targets
