"""build.ninja to a Manifest: reads the files. See docs/design/ninja-language.md."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from coordinator.importers.ninja.building import Building
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.statements import parse
from shared.errors import named
from shared.uncollected import uncollected

# Text that is no UTF-8 stays what it is.
ENCODING, ERRORS = "utf-8", "surrogateescape"


def read(path: Path, folder: Path | None = None) -> Manifest:
    """What the file and all that it includes say; GraphError with the place where it cannot be.

    Every other path is relative to the folder that commands run in, by default that of the file. LocalError when the
    file cannot be read.
    """
    return read_by(path, lambda file: file.read_bytes(), folder)


def read_by(path: Path, load: Callable[[Path], bytes], folder: Path | None = None) -> Manifest:
    """The same, with every file read by `load`; OSError from it means that there is no such file."""
    try:
        data = load(path)
    except OSError as error:
        raise named(error, path, "reading") from error
    folder = folder or path.parent

    def load_named(name: str) -> str:
        if not name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return load(folder / name).decode(ENCODING, ERRORS)

    with uncollected():
        building = Building(load_named)
        parse(building, data.decode(ENCODING, ERRORS), os.path.relpath(path, folder), building.scope(-1))
        return building.manifest()
