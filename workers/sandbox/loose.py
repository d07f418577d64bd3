"""What a command of an imported build left: those of its outputs that are there, and all else that it wrote."""

from __future__ import annotations

import mmap
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from shared import hashing
from shared.errors import named
from shared.leftovers import may_be_left
from shared.model.action import Action, Output
from shared.model.path import is_normal
from workers.sandbox import outputs
from workers.sandbox.broken import Broken
from workers.sandbox.links import leads_inside, relative_to

MOST = 10_000  # files besides the outputs
_SHOWN = 5
# See the scanner: a link with such a text is no source either.
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def collect(tree: Path, action: Action, others: list[str], root: str) -> tuple[Output, ...]:
    """The outputs that are there, in the order declared, then `others`: files of the tree that nobody declared.

    A depfile that stays is one of the outputs. root: where the command saw the tree. Broken for what cannot be one.
    """
    if len(others) > MOST:
        raise Broken(f"it wrote more than {MOST:,} files besides its outputs, {others[0]} among them")
    declared = dict.fromkeys((*action.outputs, *action.kept_depfile))
    made = [_take(tree, path, action.root, root) for path in declared]
    for path in others:
        if path in declared:
            continue
        if not is_normal(path):
            raise Broken(f"it wrote {path!r}, which is not a path that a file of the tree can have")
        made.append(_take(tree, path, action.root, root, declared=False))
    return tuple(output for output in made if output is not None)


def refuse_changed(paths: list[str]) -> None:
    """Broken if there are inputs that a command has changed."""
    if paths:
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        raise Broken(f"it changed its own inputs, which are no outputs of it: {', '.join(paths[:_SHOWN])}{more}")


def rewritable(path: str, action: Action) -> bool:
    """Whether an input that was changed is a byproduct: of the build folder, and not what the edge says it reads."""
    return may_be_left(path, action.cwd) and path not in action.primary


def holder(tree: Path, made: Iterable[Output], path: str) -> str | None:
    """An output that holds an absolute path, in its bytes or as where its symlink leads; None if there is none."""
    needle = os.fsencode(path)
    for output in made:
        if output.mode == "link":
            if path in output.target:
                return output.path
        elif output.size >= len(needle):
            with outputs.opened(tree, output.path) as fd, mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as data:
                if data.find(needle) >= 0:
                    return output.path
    return None


def _take(tree: Path, path: str, real: str, root: str, *, declared: bool = True) -> Output | None:
    """A file or symlink; None if it is not there, or a folder, or neither and nobody's output."""
    try:
        with outputs.parent_of(tree, path) as (folder, name):
            if folder is None:
                return None
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                return _link(str(tree), path, os.readlink(name, dir_fd=folder), real, root)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise named(error, tree / path, "reading") from error
    if stat.S_ISDIR(status.st_mode) or not (declared or stat.S_ISREG(status.st_mode)):
        return None
    with outputs.opened(tree, path) as fd:
        hash_, size = hashing.of_descriptor(fd)
    return Output(path, hash_, size, "exec" if status.st_mode & 0o111 else "file")


def _link(tree: str, path: str, target: str, real: str, root: str) -> Output:
    if not leads_inside(tree, path, root):
        raise Broken(f"its output {path} is a symlink that leads out of the tree, to {target}")
    if _UNUSABLE.search(target):
        raise Broken(f"its output {path} is a symlink with a text that cannot be used: {target!r}")
    inside = relative_to(root, target) if root != real else None
    if inside is not None:
        target = f"{real}/{inside}" if inside else real
    data = target.encode()
    return Output(path, hashing.of_bytes(data), len(data), "link", target)
