"""Repository paths: normalised, relative, slash-separated; none can leave the tree it belongs to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

MAX_LENGTH = 4096
MAX_COMPONENT = 255
# Windrow's own state and git's store are never inputs or outputs of a build.
RESERVED = (".windrow", ".git")
# Most paths are of this form, which is the one spelling already; asking that is ten times faster than to look at parts.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_+@=,%-][A-Za-z0-9_+@=,%.-]*/)*[A-Za-z0-9_+@=,%-][A-Za-z0-9_+@=,%.-]*")


def normalise(text: str) -> str:
    """The one spelling of a relative path (`a/./b` and `a//b` become `a/b`); ValueError says what is wrong with it."""
    return text if len(text) <= MAX_COMPONENT and _PLAIN.fullmatch(text) else _normalised(text)


def _normalised(text: str) -> str:
    if not text:
        raise ValueError("the path is empty")
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        # The system takes all but NUL. But paths are printed, and are the lines of lists that are hashed.
        raise ValueError("the path holds a control character")
    if text.startswith("/"):
        raise ValueError("the path is absolute; paths are relative to the project's root")
    parts: list[str] = []
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts:
                raise ValueError("the path leads out of the tree")
            parts.pop()
            continue
        if len(part.encode("utf-8", "surrogateescape")) > MAX_COMPONENT:
            raise ValueError(f"a component is longer than {MAX_COMPONENT} bytes")
        parts.append(part)
    if not parts:
        raise ValueError("the path names the tree itself")
    if parts[0] in RESERVED:
        raise ValueError(f"{parts[0]} is reserved")
    path = "/".join(parts)
    if len(path) > MAX_LENGTH:
        raise ValueError(f"the path is longer than {MAX_LENGTH} characters")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("the path is not valid UTF-8") from error
    return path


def written(text: str) -> str:
    r"""The same for a path that a person wrote down: ValueError as well for what is hardly meant as such a path.

    `~/x`, `C:/x` and `a\b` are names that a tree may have; who writes one means a home, a drive or two folders.
    """
    if "\\" in text:
        raise ValueError("the path holds a backslash; use '/'")
    if text == "~" or text.startswith("~/"):
        raise ValueError("the path is absolute; paths are relative to the project's root")
    if len(text) > 1 and text[1] == ":" and text[0].isalpha():
        raise ValueError("the path names a drive")
    return normalise(text)


def is_normal(text: str) -> bool:
    """Whether a text is a repository path in its one spelling."""
    try:
        return normalise(text) == text
    except ValueError:
        return False


def basename(path: str) -> str:
    """The last component."""
    return path.rpartition("/")[2]


def lacking(paths: Iterable[str], made: Collection[str]) -> list[str]:
    """Those of the paths that are not among what was made, nor a folder of any of it."""
    gone = [path for path in paths if path not in made]
    return [path for path in gone if not any(one.startswith(f"{path}/") for one in made)] if gone else []
