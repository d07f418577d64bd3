"""Walks the tree: which files are there, by what the file system says of them; follows no symlink."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Container, Sequence
from contextlib import suppress
from typing import NamedTuple

from coordinator.scan.ignore import BUILT_IN, Ignores
from shared.errors import LocalError, UnreadableFile, named

_IGNORE_FILE = ".gitignore"
# What shared/model/path.py refuses, and names that are no UTF-8 (they arrive as lone surrogates).
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Walked(NamedTuple):
    """Files and symlinks by path, as lstat sees them; what was left out, in words.

    folders: as they were before they were read, and so the files in them that tell what is ignored.
    """

    files: dict[str, os.stat_result]
    links: dict[str, str]
    outputs: dict[str, os.stat_result]
    warnings: list[str]
    folders: dict[str, os.stat_result]


class Where(NamedTuple):
    """Where to walk: the folders to begin with, names to leave out, and which files tell of ignored ones.

    marks: a folder that holds one of these names is left out, unless it is begun with.
    """

    folders: tuple[str, ...] = ("",)
    leave: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    ignore_file: str = _IGNORE_FILE


def walk(
    root: str,
    patterns: Sequence[str],
    outputs: Container[str],
    skip: Container[str] = frozenset(),
    where: Where = Where(),  # noqa: B008 - it is frozen
) -> Walked:
    """Every source below a folder, and those of the outputs that it came by.

    Built-in names, ignored files, sockets, pipes, devices and what `skip` names are left out. Raises
    UnreadableFile, and LocalError for a name that cannot be a path of the build.
    """
    walked = Walked({}, {}, {}, [], {})
    stack = [(folder, Ignores.of_settings(patterns)) for folder in where.folders]
    leave = BUILT_IN | where.leave
    while stack:
        folder, rules = stack.pop()
        with suppress(OSError):  # whatever is wrong with it, the next line says so
            walked.folders[folder] = os.lstat(f"{root}/{folder}" if folder else root)
        entries = _entries(root, folder)
        if where.marks and folder not in where.folders and any(entry.name in where.marks for entry in entries):
            continue
        if where.ignore_file and any(entry.name == where.ignore_file for entry in entries):
            text = _ignore_file(root, folder, walked)
            rules = rules.entering(folder, text, settings=bool(patterns)) if text else rules
        prefix = f"{folder}/" if folder else ""
        for entry in entries:
            if entry.name in leave:
                continue
            path = prefix + entry.name
            if path in skip:
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if path in outputs:
                _add_output(walked, path, entry)
            elif rules and rules.ignored(path, folder=is_folder):
                continue
            elif is_folder:
                _refuse_unusable(path, entry.name)
                stack.append((path, rules))
            else:
                _refuse_unusable(path, entry.name)
                _add_file(walked, path, entry)
    return walked


def leaves_out(root: str, path: str, patterns: Sequence[str]) -> bool:
    """Whether a walk of the whole tree passes a path by, or a folder that it is in."""
    rules, folder, last = Ignores.of_settings(patterns), "", path.count("/")
    for depth, name in enumerate(path.split("/")):
        if text := _ignore_file(root, folder, Walked({}, {}, {}, [], {})):
            rules = rules.entering(folder, text, settings=bool(patterns))
        folder = f"{folder}/{name}" if folder else name
        if name in BUILT_IN or rules.ignored(folder, folder=depth < last):
            return True
    return False


def shut(folder: str, patterns: Sequence[str]) -> bool:
    """Whether the settings, or its name, leave a folder out, or one that it is in, whatever .gitignore files say."""
    rules, path = Ignores.of_settings(patterns), ""
    for name in folder.split("/"):
        path = f"{path}/{name}" if path else name
        if name in BUILT_IN or rules.ignored(path, folder=True):
            return True
    return False


def read_link(root: str, path: str) -> str | None:
    """The text of a symlink, None if it is gone; LocalError if no path can be made of it."""
    try:
        text = os.readlink(f"{root}/{path}")  # noqa: PTH115 - Path.readlink tidies the text
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(error, path) from error
    if _UNUSABLE.search(text):
        raise LocalError(
            f"the symlink {path} holds a path that cannot be used: {text!r}",
            at=path,
            why="it holds a control character, or bytes that are not UTF-8",
            fix=f'leave it out: [scan] ignore = ["/{path}"]',
        )
    return text


def unreadable(error: OSError, path: str) -> UnreadableFile:
    """The error for a source that is there and cannot be read."""
    return UnreadableFile(
        f"cannot read {path or 'the project folder'}",
        at=path or ".",
        why=f"{error.strerror}; this process is uid {os.geteuid()}",
        fix=f'make it readable for this user, or leave it out: [scan] ignore = ["/{path}"]',
    )


def _entries(root: str, folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(f"{root}/{folder}" if folder else root) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not folder:
            raise named(error, root, "reading") from error
        return []  # deleted since its own folder was read
    except OSError as error:
        raise unreadable(error, folder) from error


def _ignore_file(root: str, folder: str, walked: Walked) -> str:
    path = f"{folder}/{_IGNORE_FILE}" if folder else _IGNORE_FILE
    try:
        # It may be ignored itself, and is no source then.
        walked.folders[path] = os.lstat(f"{root}/{path}")
        # A symlink is not followed, as git does not: it could lead anywhere.
        fd = os.open(f"{root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except PermissionError as error:
        raise unreadable(error, path) from error
    except OSError:
        return ""  # a symlink, or a socket
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return file.read().decode("utf-8", "surrogateescape")


def _add_file(walked: Walked, path: str, entry: os.DirEntry[str]) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(error, path) from error
    if stat.S_ISREG(status.st_mode):
        walked.files[path] = status
    elif stat.S_ISLNK(status.st_mode):
        walked.links[path] = ""


def _add_output(walked: Walked, path: str, entry: os.DirEntry[str]) -> None:
    try:
        walked.outputs[path] = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(error, path) from error


def _refuse_unusable(path: str, name: str) -> None:
    if _UNUSABLE.search(name):
        raise LocalError(
            f"the name {path!r} cannot be used",
            at=repr(path),
            why="it holds a control character, or bytes that are not UTF-8",
            fix="rename it, or leave it out: [scan] ignore takes patterns like .gitignore, with ? for such a character",
        )
