"""Places of the tree: normalised paths relative to the project's root, "" for the root itself. Pure."""

from __future__ import annotations

import posixpath


class Places:
    """Turns paths as commands spell them into places; remembers what it was asked."""

    def __init__(self, root: str) -> None:
        self._root = "/" + posixpath.normpath(root or "/:nowhere:").strip("/")
        self._prefix = self._root.rstrip("/") + "/"
        self._known: dict[tuple[str, str], tuple[str | None, tuple[str, ...]]] = {}

    def of(self, cwd: str, text: str, passed: set[str] | None = None) -> str | None:
        """The place that a path names for who works in `cwd`; None if it is outside of the tree.

        passed: is given the places that the path goes through and leaves by `..`, which must be there for it.
        """
        known = self._known.get((cwd, text))
        if known is None:
            known = self._known[cwd, text] = self._find(cwd, text)
        if passed is not None and known[1]:
            passed.update(known[1])
        return known[0]

    def _find(self, cwd: str, text: str) -> tuple[str | None, tuple[str, ...]]:
        if not text or "\0" in text:
            return None, ()
        absolute = text if text[0] == "/" else f"{self._prefix}{cwd}/{text}"
        through: list[str] = []
        if "/.." in text:
            at = -1
            while (at := absolute.find("/..", at + 1)) != -1:
                before = self._inside(absolute[:at])
                if before and absolute[at + 3 : at + 4] in ("", "/"):
                    through.append(before)
        return self._inside(absolute), tuple(through)

    def _inside(self, absolute: str) -> str | None:
        path = "/" + posixpath.normpath(absolute).lstrip("/")
        if path == self._root:
            return ""
        return path[len(self._prefix) :] if path.startswith(self._prefix) else None
