"""Which path of the tree a build.ninja means by a text. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from shared.errors import GraphError
from shared.model.action import ROOT
from shared.model.path import normalise

_PLAIN = re.compile(r"(?:[A-Za-z0-9_+@=,%-][A-Za-z0-9_+@=,%.\-]*/)*[A-Za-z0-9_+@=,%-][A-Za-z0-9_+@=,%.\-]*")


class Places:
    """Texts of a build file as paths. root: the tree, absolute; cwd: where commands run, relative to it.

    folders: those of the project in a tree whose root is that of the machine; what lies in none of them is outside.
    """

    def __init__(self, root: str, cwd: str, folders: Sequence[str] = ()) -> None:
        self.root, self.cwd = root.rstrip("/") or "/", cwd
        self._inside = root.rstrip("/") + "/"
        self._own = tuple(f"/{folder}/" for folder in folders) if self.root == "/" else ()
        self._prefix = f"{cwd}/" if cwd else ""
        self._known: dict[str, str] = {}
        # A mark ends where a component ends: /src/app is not in /src/apple.
        end = r"(?![^/\s'\":;,=)(&|<>\]\[}{])"
        # Of the machine's own root nothing is left but the slash that every path begins with.
        names = "|".join(map(re.escape, folders)) or "(?!)"
        self._mark = re.compile(f"(?=/(?:{names}){end})" if self.root == "/" else re.escape(self.root) + end)

    def of(self, text: str, at: str = "") -> str:
        """The path relative to the root ("" for itself), or an absolute one outside; GraphError for what cannot be."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._resolve(text, at)
        return found

    def _resolve(self, text: str, at: str) -> str:
        if not text.startswith(("/", "..")) and _PLAIN.fullmatch(text):
            path = self._prefix + text
            if self._prefix and _PLAIN.fullmatch(path):
                return path
        full = posixpath.normpath(f"{self._inside}{self._prefix}{text}" if not text.startswith("/") else text)
        if full == self.root:
            return ""
        if not full.startswith(self._inside) or (self._own and not f"{full}/".startswith(self._own)):
            return full
        try:
            return normalise(full[len(self._inside) :])
        except ValueError as error:
            raise GraphError(f"{text!r} cannot be a path of the build", at=at, why=str(error)) from error

    def marked(self, text: str) -> str:
        """A text with the root's own path replaced by the mark that stands for it."""
        return self._mark.sub(ROOT, text) if self.root in text else text


def outside(path: str) -> bool:
    """Whether a path that `of` gave lies beyond the tree."""
    return path.startswith("/")
