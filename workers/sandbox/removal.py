"""Removing a tree that a job may have left in any state."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from shared.errors import named


def remove(path: Path) -> None:
    """Remove a folder and all in it, following no symlink; LocalError when something stays."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        # Locked, or deeper than folders can be followed.
        try:
            _level(path)
        except OSError as error:
            raise named(error, path, "removing") from error


def _level(root: Path) -> None:
    """Remove a tree of locked folders, of any depth: those in a folder are brought up to the root before it goes."""
    names = (f".{number}-{os.urandom(8).hex()}" for number in itertools.count())
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108 - as a string
                continue
            below = Path(entry.path)
            if folder != root:
                # Only who may write to a folder may move it elsewhere.
                below.chmod(0o700)
                below = below.rename(root / next(names))
            waiting.append(below)
        if folder != root:
            folder.rmdir()
    root.rmdir()
