"""Removing a tree that a job may have left in any state."""

from __future__ import annotations

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
    except PermissionError:
        _unlock(path)
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise named(error, path, "removing") from error
    except OSError as error:
        raise named(error, path, "removing") from error


def _unlock(folder: Path) -> None:
    """Give back to the owner the right to look into and change folders that a job took away."""
    folder.chmod(0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _unlock(Path(entry.path))
