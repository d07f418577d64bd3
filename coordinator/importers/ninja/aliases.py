"""A build file that CMake wrote through a symlink: its paths as those of the folder that the link leads to.

CMake writes the path of a checkout as the shell spells it. Where that goes through a symlink, nothing it names
would lie in the project, whose root has no links in it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_WORKDIR = re.compile(rb"^cmake_ninja_workdir = (/.*?)/?\r?$", re.MULTILINE)
_HOME = re.compile(rb"^CMAKE_HOME_DIRECTORY:INTERNAL=(/.*?)\r?$", re.MULTILINE)
# Neither ninja nor a shell would have it spelled in another way.
_PLAIN = re.compile(r"[A-Za-z0-9_+@=,%./-]+")


class Alias(NamedTuple):
    """A path that goes through a symlink at its end, and where that leads."""

    told: str
    meant: str

    @property
    def holds(self) -> bool:
        """Whether it still leads there."""
        return os.path.realpath(self.told) == self.meant

    def resolved(self, text: bytes) -> bytes:
        """A build file with the one put in place of the other, where a component of a path ends."""
        told, meant = os.fsencode(self.told), os.fsencode(self.meant)
        return re.sub(re.escape(told) + rb"(?![^/\s'\":;,=)(&|<>\]\[}{$])", lambda _: meant, text)


def alias_in(text: bytes, folder: Path) -> Alias | None:
    """By which other path than its own a build file knows its folder, or its sources; None where it does not."""
    found = _WORKDIR.search(text)
    if found is None:
        return None
    return _between(os.fsdecode(found[1]), os.path.realpath(folder)) or _of_sources(folder)


def _of_sources(folder: Path) -> Alias | None:
    """The same for the sources, where these alone are reached through a symlink."""
    try:
        home = _HOME.search((folder / "CMakeCache.txt").read_bytes())
    except OSError:
        return None
    told = os.fsdecode(home[1]) if home is not None else ""
    return _between(told, os.path.realpath(told)) if told else None


def _between(told: str, meant: str) -> Alias | None:
    if told == meant or not _PLAIN.fullmatch(told + meant):
        return None
    parts = told.split("/")
    for count in range(2, len(parts) + 1):
        head, rest = "/".join(parts[:count]), parts[count:]
        real = os.path.realpath(head)
        if real != head and "/".join([real, *rest]) == meant:
            return Alias(head, real)
    return None
