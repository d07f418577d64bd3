"""First of all: is there still nothing to do? Answered before anything is imported that a build needs.

So are the questions that CMake asks four times for each try_compile, of which a project may have hundreds. Only for the
plainest ways of asking; everything else is for the commands themselves.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

VERSION = "1.12.1"  # what CMake and Meson ask for: the version of the language that is read
_STATE = ".windrow"
_BUILD_FILE = "build.ninja"
# There is no log to tidy up, and times do not count.
_NOTHING = frozenset(("recompact", "restat"))
# Where CMake makes the folders of its try_compile: since 3.25 one for each, before that the same for all.
_TRIALS = ("/CMakeFiles/CMakeScratch/", "/CMakeFiles/CMakeTmp/")
_PROJECT = "windrow.toml"
_NUMBERED = frozenset(("-j", "-k", "-l"))
_QUIET = "--quiet"
_BARE = frozenset(("-v", "--verbose", _QUIET))


def ninja_answers(arguments: Sequence[str]) -> bool:
    """Whether `windrow-ninja` was asked for what needs no build file, and has answered."""
    words = list(arguments)
    if words == ["--version"]:
        sys.stdout.write(f"{VERSION}\n")
        return True
    folder = words[1] if words[:1] == ["-C"] and len(words) > 1 else "."
    rest = words[2:] if folder != "." else words
    asked = rest[:1] == ["-t"] and len(rest) > 1 and rest[1] in _NOTHING
    return asked and os.path.isfile(os.path.join(folder, _BUILD_FILE))  # noqa: PTH113, PTH118


def is_trial(arguments: Sequence[str]) -> bool:
    """Whether CMake asks for a try_compile of one file, with nothing but targets and the plainest flags."""
    here = os.getcwd()  # noqa: PTH109
    plain = plainly(arguments) if any(place in f"{here}/" for place in _TRIALS) else None
    return plain is not None and not plain[2]


def state_name(file: str) -> str:
    """The folder, in that for the state of a build folder, for one of its build files; empty for build.ninja."""
    if os.path.normpath(file) == _BUILD_FILE:
        return ""
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in file).strip("-.")


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
    plain = plainly(arguments)
    if plain is None:
        return False
    folder, file, entered, targets = plain
    build = os.path.realpath(os.path.join(folder, file))  # noqa: PTH118 - pathlib would have to be loaded
    where = os.path.dirname(build)  # noqa: PTH120
    own = os.path.join(os.path.realpath(folder), _STATE, state_name(file)).rstrip("/")  # noqa: PTH118
    for state in (own, _above(where)):
        told = _told(state, folder, targets)
        if told is not None and told.get("build_file") == build:
            if _QUIET not in arguments:
                sys.stdout.write(f"ninja: Entering directory `{folder}'\n" if entered else "")
                sys.stdout.write("ninja: no work to do.\n")
                sys.stdout.flush()  # who cannot be told, the command itself deals with
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
    sys.stdout.flush()
    return True


def _told(state: str, folder: str, targets: Sequence[str]) -> Mapping[str, object] | None:
    """What the last build of these targets, typed in a folder, noted down, if it still holds."""
    from coordinator import rest  # noqa: PLC0415 - `--help` and the like ask nothing

    if not state:
        return None
    name = rest.NAMED if targets else rest.FILE
    told = rest.holds(os.path.join(state, name), None, os.environ)  # noqa: PTH118
    # Where a command has to look first, it is for those who can run it to tell.
    mine = told is not None and told.get("typed") == rest.typed(folder, targets) and not told.get("asks")
    return told if mine else None


def _above(folder: str) -> str:
    """The state folder of the project that a folder lies in; empty if it lies in none."""
    while True:
        if os.path.exists(os.path.join(folder, _PROJECT)):  # noqa: PTH110, PTH118
            return os.path.join(folder, _STATE)  # noqa: PTH118
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return ""
        folder = parent


def plainly(arguments: Sequence[str]) -> tuple[str, str, bool, list[str]] | None:
    """Folder, file and targets of a command line that asks for targets and no more; None for any other."""
    folder, file, entered = ".", _BUILD_FILE, False
    targets: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "-C":
            folder, entered = next(words, "."), True
        elif word == "-f":
            file = next(words, _BUILD_FILE)
        elif word in _NUMBERED:
            if not next(words, "").isdecimal():
                return None
        elif not word.startswith("-"):
            targets.append(word)
        elif word not in _BARE and not (word[:2] in _NUMBERED and word[2:].isdecimal()):
            return None
    return folder, file, entered, targets
