"""Seen: an action's command as it is run, and the paths it sees. Design: docs/design/rooted-jobs.md."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.commands import first_words, script
from shared.model.action import ROOT, Action
from shared.model.path import basename
from workers.execute.isolation import Isolation
from workers.execute.slot import View

# They put the paths of what they compile into what they write, and take -ffile-prefix-map.
_COMPILER = re.compile(r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d+(?:\.\d+)*)?")


class Seen(NamedTuple):
    """A command and its folder as they are run. root: where the command sees the tree. view: see Request."""

    argv: tuple[str, ...]
    cwd: str
    root: str
    view: View | None = None


def seen_of(action: Action, tree: str, keep: Sequence[str], isolation: Isolation) -> Seen:
    """How an action that is laid out in the folder `tree` is run; `keep`: folders outside the tree that it needs."""
    if not action.root:
        return Seen(action.argv, tree, tree)
    if isolation == "rewriting":
        option = f"-ffile-prefix-map={tree}={action.root.rstrip('/')}"
        argv = mapped(tuple(word.replace(ROOT, tree) for word in action.argv), option)
        return Seen(argv, below(tree, action.cwd), tree)
    mounts = mounted(action.mounts, action.cwd)
    binds = tuple((below(tree, path), below(action.root, path)) for path in mounts)
    view = View(binds, tuple(keep), user=isolation == "user-mounts")
    return Seen(action.command, below(action.root, action.cwd), action.root, view)


def mounted(mounts: Iterable[str], cwd: str) -> tuple[str, ...]:
    """The folders of the tree that appear, none below another; the one the command runs in is always among them."""
    wanted = sorted({*mounts, cwd}) if any(mounts) else [""]
    found: list[str] = []
    for path in wanted:
        if not any(path == other or not other or path.startswith(other + "/") for other in found):
            found.append(path)
    return tuple(found)


def mapped(argv: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The command with an option more for every compiler that it runs."""
    text = script(argv)
    if text is None:
        return (argv[0], option, *argv[1:]) if argv and _COMPILER.fullmatch(basename(argv[0])) else argv
    more = f" {shlex.quote(option)}"
    for word in {word for word in first_words(text) if _COMPILER.fullmatch(basename(word))}:
        text = re.sub(rf"(?<![^\s;&|()]){re.escape(word)}(?=\s)", lambda found: found[0] + more, text)
    return (*argv[:2], text, *argv[3:])


def below(folder: str, path: str) -> str:
    """A path of the tree as an absolute one."""
    return posixpath.join(folder, path) if path else folder
