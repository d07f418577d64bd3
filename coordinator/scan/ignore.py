"""Which paths are no sources: built-in names, .gitignore files at every level, and `[scan] ignore`.

Written after git's own rules (gitignore(5), wildmatch.c): pathspec decides otherwise than git where a
folder is taken back by a `!` line. docs/adr/0011-gitignore.md has the examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

BUILT_IN = frozenset({
    ".git", ".hg", ".svn", ".jj", ".windrow", "windrow.local.toml", "__pycache__",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".DS_Store",
})  # fmt: skip

_POSIX = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z",
    "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9", "graph": "!-~",
    "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\s", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_NEVER = r"(?!)"


class IgnoreFile:
    """The patterns of one file. Paths are relative to its folder.

    It is asked only about paths whose folder is not ignored itself.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._patterns = [pattern for line in lines if (pattern := _Pattern.read(line))]
        names = [pattern.regex for pattern in self._patterns if pattern.by_name]
        paths = [pattern.regex for pattern in self._patterns if not pattern.by_name]
        self._any_name, self._any_path = _union(names), _union(paths)

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """True for ignored, False for taken back by a `!` pattern, None if no pattern says anything."""
        name = path[path.rfind("/") + 1 :]
        if not (self._any_name and self._any_name.match(name)) and not (self._any_path and self._any_path.match(path)):
            return None
        for pattern in reversed(self._patterns):
            if (folder or not pattern.only_folders) and pattern.matches(name if pattern.by_name else path):
                return not pattern.negated
        return None


class Ignores:
    """What holds inside one folder: its own file, those of the folders around it, and the settings."""

    __slots__ = ("_levels",)

    def __init__(self, levels: tuple[tuple[int, IgnoreFile], ...] = ()) -> None:
        self._levels = levels

    @classmethod
    def of_settings(cls, patterns: Sequence[str]) -> Ignores:
        """Only the patterns of the settings; they come before any file's."""
        return cls(((0, IgnoreFile(patterns)),)) if patterns else cls()

    def entering(self, folder: str, text: str, *, settings: bool) -> Ignores:
        """With the .gitignore of a folder ("" for the root) added; a deeper file comes before those above."""
        level = (len(folder) + 1 if folder else 0, IgnoreFile(text.removeprefix("\ufeff").split("\n")))
        first = 1 if settings else 0
        return Ignores((*self._levels[:first], level, *self._levels[first:]))

    def ignored(self, path: str, *, folder: bool) -> bool:
        """Whether a path is no source; `folder` is false for a symlink to one."""
        for start, file in self._levels:
            verdict = file.verdict(path[start:] if start else path, folder=folder)
            if verdict is not None:
                return verdict
        return False

    def __bool__(self) -> bool:
        return bool(self._levels)


class _Pattern:
    __slots__ = ("_match", "by_name", "negated", "only_folders", "regex")

    def __init__(self, regex: str, *, by_name: bool, negated: bool, only_folders: bool) -> None:
        self.regex, self.by_name, self.negated, self.only_folders = regex, by_name, negated, only_folders
        self._match: re.Pattern[str] | None = None

    @classmethod
    def read(cls, line: str) -> _Pattern | None:
        """The pattern on a line; None for a comment or nothing."""
        text = _without_trailing_spaces(line.removesuffix("\r"))
        if not text or text.startswith("#"):
            return None
        negated = text.startswith("!")
        if negated:
            text = text[1:]
        only_folders = text.endswith("/")
        if only_folders:
            text = text[:-1]
        by_name = "/" not in text
        text = text.removeprefix("/")
        if not text:
            return None
        return cls(_regex(text, by_name=by_name) + r"\Z", by_name=by_name, negated=negated, only_folders=only_folders)

    def matches(self, text: str) -> bool:
        if self._match is None:
            self._match = re.compile(self.regex, re.DOTALL)
        return self._match.match(text) is not None


def _union(regexes: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{regex})" for regex in regexes), re.DOTALL) if regexes else None


def _without_trailing_spaces(line: str) -> str:
    end = len(line)
    while end and line[end - 1] == " ":
        backslashes = len(line[: end - 1]) - len(line[: end - 1].rstrip("\\"))
        if backslashes % 2:
            break
        end -= 1
    return line[:end]


def _regex(text: str, *, by_name: bool) -> str:
    pieces: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "*":
            stars = len(text) - at - len(text[at:].lstrip("*"))
            piece, at = _stars(text, at, stars, by_name=by_name)
            pieces.append(piece)
            continue
        if char == "[":
            piece, at = _class(text, at)
            if not piece:
                return _NEVER
            pieces.append(piece)
            continue
        if char == "\\":
            at += 1
            if at == len(text):
                return _NEVER
            char = text[at]
            pieces.append(re.escape(char))
        else:
            pieces.append("[^/]" if char == "?" else re.escape(char))
        at += 1
    return "".join(pieces)


def _stars(text: str, at: int, stars: int, *, by_name: bool) -> tuple[str, int]:
    """`**` spans folders where it stands for whole components; else any number of stars is one."""
    end = at + stars
    alone = not by_name and stars >= 2 and (at == 0 or text[at - 1] == "/")
    if alone and end == len(text):
        return ".+", end
    if alone and text[end] == "/":
        return "(?:.*/)?", end + 1
    return "[^/]*", end


def _class(text: str, start: int) -> tuple[str, int]:
    """The regex of a bracket expression and where it ends; an empty regex if it is not closed."""
    at = start + 1
    negated = text[at : at + 1] in ("!", "^") and at < len(text)
    at += negated
    pieces: list[str] = []
    first = True
    while at < len(text):
        if text[at] == "]" and not first:
            return f"(?!/)[{'^' if negated else ''}{''.join(pieces)}]" if pieces else "", at + 1
        first = False
        if text.startswith("[:", at) and (end := text.find(":]", at)) > 0:
            if text[at + 2 : end] not in _POSIX:
                return "", at
            pieces.append(_POSIX[text[at + 2 : end]])
            at = end + 2
            continue
        low, at = _member(text, at)
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(text, at + 1)
            # An empty range matches nothing, and adds nothing.
            pieces.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
        else:
            pieces.append(re.escape(low))
    return "", at


def _member(text: str, at: int) -> tuple[str, int]:
    if text[at] == "\\" and at + 1 < len(text):
        return text[at + 1], at + 2
    return text[at], at + 1
