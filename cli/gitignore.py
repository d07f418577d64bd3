"""What git need not see: lines added to a .gitignore."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from shared.errors import named


def add(path: Path, names: Iterable[str]) -> list[str]:
    """Have a .gitignore hold these lines, each once; which were added. LocalError."""
    try:
        had = path.read_text() if path.exists() else ""
        lines = had.splitlines()
        missing = [line for line in names if line not in lines and line.rstrip("/") not in lines]
        if missing:
            path.write_text(had + ("\n" if had and not had.endswith("\n") else "") + "\n".join(missing) + "\n")
    except OSError as error:
        raise named(error, path, "writing") from error
    return missing


def of_git(folder: Path) -> bool:
    """Whether a folder lies in a working copy of git."""
    return any((above / ".git").exists() for above in (folder, *folder.parents))
