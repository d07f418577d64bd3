"""Sandbox: one job's directory, from laying out its inputs to removing it."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.commands import script
from shared.errors import named
from shared.model.action import Action, Input, unmarked
from shared.model.path import is_normal
from workers.sandbox.broken import Broken
from workers.sandbox.kept import Kept, adapt
from workers.sandbox.links import leads_inside, relative_to
from workers.sandbox.marks import Laid
from workers.sandbox.passages import entered, passages, searched
from workers.sandbox.removal import remove

_SHOWN = 5
_MOST = 1000
_LONGEST = 80  # characters of a path in a message


class Sandbox:
    """A folder with `tree` (the inputs, and later the outputs), `tmp`, and the files of the two streams.

    Raises Broken for an action whose paths cannot be laid out, LocalError when this machine cannot.
    take: a tree that is near to what the action needs, if there is one. marked: of the files that came with it, see
    Marks.
    """

    def __init__(
        self,
        place: Path,
        action: Action,
        discard: Callable[[Path], None] = remove,
        take: Callable[[], Kept | None] = lambda: None,
    ) -> None:
        self.place, self.action, self._discard, self._take = place, action, discard, take
        self.marked: dict[str, Laid] = {}
        self._made: set[str] = set()
        self.tree, self.tmp = place / "tree", place / "tmp"
        self.stdout, self.stderr = place / "stdout", place / "stderr"
        self.folders = check_paths(action)
        self.begun = 0  # when it was made, in nanoseconds by the file system

    def __enter__(self) -> Self:
        """Make the folders."""
        with _naming(self.place):
            for folder in (self.place, self.tmp):
                folder.mkdir(mode=0o700)
            if not self._take_over():
                self.tree.mkdir(mode=0o755)
            self.begun = self.place.stat().st_ctime_ns
        return self

    def _take_over(self) -> bool:
        """Begin with a tree that was kept, without what this job is not given; whether there is one that will do."""
        kept = self._take()
        if kept is None:
            return False
        try:
            left = adapt(kept, self.action.inputs, self.folders)
            kept.tree.rename(self.tree)
        except OSError:
            self._discard(kept.tree)
            return False
        self.marked = {path: kept.laid[path] for path in left}
        self._made = kept.folders
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything."""
        self._discard(self.place)

    def lay_out_folders(self) -> None:
        """Make the folders of everything the action names."""
        for folder in sorted(self.folders - self._made):
            path = self.tree / folder
            with _naming(path):
                path.mkdir(0o755)

    def files(self) -> list[Input]:
        """The inputs that are to be fetched; see Fetcher."""
        return [item for item in self.action.inputs if item.mode != "link" and item.path not in self.marked]

    def lay_out_texts(self, root: str) -> None:
        """Write the files that the action brings along, for a command that sees the tree at `root`."""
        for name, text in self.action.files:
            path = self.tree / name
            with _naming(path):
                path.write_bytes(os.fsencode(unmarked(text, root)))

    def lay_out_links(self, root: str = "") -> None:
        """Make the symlinks, once all else is there; Broken when one leads out of the tree.

        root: where the command sees the tree, if symlinks may tell that.
        """
        links = [item.path for item in self.action.inputs if item.mode == "link"]
        for path in links:
            self._link(path, root)
        if links:
            self._refuse_escapes(links, root)

    def _link(self, path: str, root: str) -> None:
        target = self.action.links.get(path)
        if target is None:
            raise Broken(f"the symlink {path} is given without its target")
        inside = relative_to(self.action.root, target) if root else None
        if inside is None:
            _check_target(path, target)
        else:
            target = posixpath.join(root, inside) if inside else root
        with _naming(self.tree / path):
            os.symlink(target, self.tree / path)  # noqa: PTH211 - the text as it is

    def _refuse_escapes(self, links: list[str], seen_at: str) -> None:
        # One target may lead through another symlink, so its text alone does not tell where it ends.
        root = os.path.realpath(self.tree)
        for path in links:
            if seen_at:
                inside = leads_inside(root, path, seen_at)
            else:
                end = os.path.realpath(f"{root}/{path}")
                inside = end == root or end.startswith(root + "/")
            if not inside:
                raise Broken(_escape(path, self.action.links[path]))

    def undeclared(self, most: int = _MOST) -> list[str]:
        """Files in the tree that are not the action's, nor its outputs or depfile, sorted; the first so many."""
        action = self.action
        known = {item.path for item in action.inputs}
        known.update(action.outputs)
        known.update(path for path, _ in action.files)
        if action.depfile:
            known.add(action.depfile)
        found: list[str] = []
        queue = [""]
        while queue and len(found) < most:
            prefix = queue.pop()
            try:
                with os.scandir(self.tree / prefix) as entries:
                    for entry in entries:
                        path = prefix + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            queue.append(path + "/")
                        elif path not in known:
                            found.append(path)
            except PermissionError as error:
                raise Broken(f"it left the folder {prefix or '.'} unreadable") from error
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise named(error, self.tree, "reading") from error
                raise Broken(f"it left folders so deep that they have no path, in {prefix[:_LONGEST]}…") from error
        return sorted(found)

    def refuse_undeclared(self) -> None:
        """Broken if the command wrote a file it did not declare."""
        found = self.undeclared()
        if found:
            shown = ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
            raise Broken(
                f"it wrote {'a file' if len(found) == 1 else 'files'} it does not declare: {shown}; "
                "add to the rule's outputs, or write to a temporary folder ($TMPDIR)"
            )


# The headers of a project are given to job after job.
_is_normal = lru_cache(1 << 16)(is_normal)


def _named_paths(action: Action) -> Iterator[tuple[str, str]]:
    yield from ((item.path, "input") for item in action.inputs)
    yield from ((path, "output") for path in action.outputs)
    yield from ((path, "file") for path, _ in action.files)
    if action.depfile is not None:
        yield action.depfile, "depfile"


def _named_folders(action: Action) -> Iterator[str]:
    return (path for path in (action.cwd, *action.mounts) if path)


def _folders(action: Action) -> set[str]:
    """The folders of everything the action names, and those its command passes through."""
    folders: set[str] = set()
    named = {path for path, _ in _named_paths(action)}
    for path in named:
        _add_with_parents(posixpath.dirname(path), folders)
    for folder in _named_folders(action):
        _add_with_parents(folder, folders)
    through = passages(action.argv, action.cwd) | searched(action.argv, action.cwd)
    text = script(action.argv) if action.root else None
    for folder in through if text is None else through | entered(text, action.cwd):
        way: set[str] = set()
        _add_with_parents(folder, way)
        # In the place of a file there may be a symlink, which leads on.
        if way.isdisjoint(named) and _is_normal(folder):
            folders |= way
    return folders


def _add_with_parents(folder: str, folders: set[str]) -> None:
    while folder and folder not in folders:
        folders.add(folder)
        folder = posixpath.dirname(folder)


def check_paths(action: Action) -> set[str]:
    """The folders that an action needs; Broken if it cannot be meant."""
    folders = _folders(action)
    for path, what in _named_paths(action):
        if not _is_normal(path):
            raise Broken(f"the {what} {path!r} is not a path inside the tree")
    for path in _named_folders(action):
        if not _is_normal(path):
            raise Broken(f"the folder {path!r} is not a path inside the tree")
    files = {item.path for item in action.inputs}
    if not files.issuperset(action.primary):
        raise Broken("a path of the key is not among the inputs")
    if not action.argv:
        raise Broken("the command is empty")
    if len(files) != len(action.inputs) or any(path in files for path, _ in action.files):
        raise Broken("an input is given twice")
    for path in sorted(files & folders):
        raise Broken(f"the input {path} is a file, and the folder of another of its files")
    return folders


def _check_target(path: str, target: str) -> None:
    end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else "/"
    if "\0" in target or end == ".." or end.startswith(("/", "../")):
        raise Broken(_escape(path, target))


def _escape(path: str, target: str) -> str:
    return f"the symlink {path} -> {target} leads out of the tree"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise named(error, path, "writing") from error
