"""Makefile-style dependency files, as gcc, clang, rustc and their like write them. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

_MOST_LINKS = 40  # as many symlinks as Linux follows in one path
_CONTINUED = re.compile(r"\\\r?\n")
_NEWLINE = re.compile(r"\r?\n")
# A word: escaped characters, dollar pairs, and whatever else is no white space.
_PIECE = re.compile(r"\\*[ \t#:]|\$\$|\\+|[^\\$ \t#:]+|[$#:]")
_SPECIAL = re.compile(r"[\\$#]")
_BLANKS = re.compile(r"[ \t]+")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Reads(NamedTuple):
    """What a depfile says was read: relative paths inside the tree, and paths outside as they were written."""

    inside: frozenset[str]
    outside: frozenset[str]


def dependencies(text: str) -> tuple[str, ...]:
    """The paths to the right of the colons, unescaped, in order, each once.

    Rules without a right side (`-MP`) and comments add nothing.
    """
    found: dict[str, None] = {}
    for line in _NEWLINE.split(_CONTINUED.sub(" ", text)):
        targets = True
        for word, ends_target in _words(line, targets=True):
            if targets:
                targets = not ends_target
            elif word:
                found[word] = None
    return tuple(found)


def is_one(text: str) -> bool:
    """Whether a text can be a depfile: it names targets before a colon, or is empty."""
    return ":" in text or not text.strip()


def reads(text: str, trees: Sequence[str], links: Mapping[str, str] | None = None, cwd: str = "") -> Reads:
    """What a depfile says was read; see located."""
    return located(dependencies(text), trees, links, cwd)


def located(
    named: Iterable[str],
    trees: Sequence[str],
    links: Mapping[str, str] | None = None,
    cwd: str = "",
    folders: Sequence[str] = (),
) -> Reads:
    """Where the paths lie that were named by a command that ran in the folder `cwd` of a tree.

    trees: the absolute folders that it may call that tree. folders: those of the project in a tree whose root is `/`:
    what lies in none of them is no part of it.
    A path that leads through symlinks of the tree (`links`: path to target) stands for every one of them and
    for the file at the end.
    """
    inside: set[str] = set()
    outside: set[str] = set()
    prefixes = tuple(tree.rstrip("/") + "/" for tree in trees)
    for path in named:
        relative = _relative(path, prefixes, cwd)
        steps = _resolve(relative, links or {}, prefixes) if relative is not None else None
        if steps is None:
            outside.add(path)
        else:
            inside.update(steps)
    if folders and "/" in trees:
        own = tuple(f"{folder}/" for folder in folders)
        strangers = {path for path in inside if not path.startswith(own)}
        inside -= strangers
        outside.update(f"/{path}" for path in strangers)
    return Reads(frozenset(inside), frozenset(outside))


def _relative(path: str, prefixes: Sequence[str], cwd: str) -> str | None:
    """A path of a depfile from the top of the tree on, not normalised; None when it is absolute and elsewhere."""
    for prefix in prefixes:
        if path.startswith(prefix):
            return path[len(prefix) :]
    path = path.removeprefix("/proc/self/cwd/")
    return None if path.startswith("/") else f"{cwd}/{path}" if cwd else path


def _words(line: str, *, targets: bool) -> Iterator[tuple[str, bool]]:
    """Words of a line, and whether each ends the targets."""
    word: list[str] = []
    begun, at = False, 0
    while match := _PIECE.match(line, at):
        piece = match.group()
        slashes, last, at = len(piece) - 1, piece[-1], match.end()
        if last in " \t" and slashes % 2 == 0:
            if begun or slashes:
                yield "".join(word) + "\\" * slashes, False
            word, begun = [], False
        elif piece == "#" and not begun:
            return
        elif last == ":" and targets and _ends_target(line, at, "".join(word), slashes):
            yield "".join(word), True
            word, begun, targets = [], False, False
            at += line.startswith(":", at)
            if not _SPECIAL.search(line, at):
                # The usual case, and there may be a thousand of them.
                yield from ((plain, False) for plain in _BLANKS.split(line[at:]))
                return
        else:
            word.append(_unescaped(piece))
            begun = True
    if begun:
        yield "".join(word), False


def _unescaped(piece: str) -> str:
    r"""What a piece stands for; as ninja reads them.

    `\ ` is a blank, `\#` and `\:` the character, `$$` a dollar; a backslash before anything else is itself.
    """
    slashes, last = len(piece) - 1, piece[-1]
    if piece == "$$":
        return "$"
    if last in " \t":
        return "\\" * (slashes // 2) + last
    if last in "#:" and slashes:
        return "\\" * (slashes - 1) + last
    return piece


def _ends_target(line: str, after: int, word: str, slashes: int) -> bool:
    """Whether the colon before `after` ends a target: not one of a drive, nor an escaped one inside a name."""
    blank = after >= len(line) or line[after] in " \t:"
    if slashes:
        # "x\: y" is a Windows folder and its end; "x\:y" is an escaped colon.
        return blank
    return not (len(word) == 1 and word.isalpha() and _DRIVE.match(word + line[after - 1 : after + 1]))


def _resolve(path: str, links: Mapping[str, str], prefixes: Sequence[str]) -> set[str] | None:
    """A relative path, normalised, with each symlink of the tree it goes through; None if it leaves the tree."""
    seen: set[str] = set()
    if not links:
        end = posixpath.normpath(path)
        return None if end in ("..", ".") or end.startswith("../") else {end}
    followed = 0
    done: list[str] = []
    waiting = path.split("/")[::-1]
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                return None
            done.pop()
            continue
        done.append(part)
        here = "/".join(done)
        target = links.get(here)
        if target is not None and followed < _MOST_LINKS:
            followed += 1
            seen.add(here)
            done.pop()
            if target.startswith("/"):
                inside = _relative(target + "/", prefixes, "")
                if inside is None:
                    return seen
                done, target = [], inside
            waiting.extend(target.split("/")[::-1])
    return seen | {"/".join(done)} if done else seen or None
