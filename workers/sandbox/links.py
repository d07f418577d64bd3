"""Where the symlinks of a tree lead, when the tree appears at a path of its own while a command runs."""

from __future__ import annotations

import os

_MOST_LINKS = 40  # as many as Linux follows in one path


def relative_to(root: str, target: str) -> str | None:
    """What follows the root in an absolute path below it, "" for the root itself; None for any other path."""
    if target == root:
        return ""
    prefix = root.rstrip("/") + "/"
    return target[len(prefix) :] if target.startswith(prefix) else None


def leads_inside(tree: str, path: str, root: str) -> bool:
    """Whether a path of the tree stays in it through all its symlinks; those below `root` are the tree's own.

    What is not there, and what goes round in a circle, leads nowhere, and so not outside.
    """
    done: list[str] = []
    waiting = path.split("/")[::-1]
    followed = 0
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                return False
            done.pop()
            continue
        done.append(part)
        try:
            target = os.readlink("/".join((tree, *done)))  # noqa: PTH115 - Path.readlink tidies the text
        except OSError:
            continue
        followed += 1
        if followed > _MOST_LINKS:
            return True
        done.pop()
        if target.startswith("/"):
            inside = relative_to(root, target)
            if inside is None:
                return False
            done, target = [], inside
        waiting.extend(target.split("/")[::-1])
    return True
