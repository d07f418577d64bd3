"""Which files of an imported build may be left from an earlier one, by ninja or by nobody knows what. Pure."""

from __future__ import annotations

# In a build that was configured in the folder of its sources, CMake keeps everything of its own there.
_CMAKES = "CMakeFiles/"


def may_be_left(path: str, cwd: str) -> bool:
    """Whether a file lies where a build keeps what it makes. cwd: the folder of the tree that commands run in."""
    return (cwd != "" and path.startswith(f"{cwd}/")) or path.startswith(_CMAKES) or f"/{_CMAKES}" in path
