"""build.ninja to a Manifest: reads files, statement by statement. See docs/design/ninja-language.md."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable
from pathlib import Path

from coordinator.importers.ninja.building import Building
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.statements import parse
from shared.errors import named


def read(path: Path) -> Manifest:
    """What the file and all that it includes say; GraphError with the place where it cannot be.

    Every other path is relative to the folder of this one, as for `ninja -C folder`. LocalError when a file
    cannot be read.
    """
    collecting = gc.isenabled()
    # A hundred thousand edges are a hundred thousand reasons to look for cycles among them, and there are none.
    gc.disable()
    try:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise named(error, path, "reading") from error
        building = Building(_reader(path.parent))
        parse(building, data, path.name, building.scope(-1))
        return building.manifest()
    finally:
        if collecting:
            gc.enable()


def _reader(folder: Path) -> Callable[[str], bytes]:
    def load(name: str) -> bytes:
        if not name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return (folder / name).read_bytes()

    return load
