"""What a symlink among the inputs brings with it: the links on the way and what it leads to."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from shared.errors import GraphError
from shared.globs import PathIndex

_MOST = 40  # as many as the kernel follows


class Links:
    """The symlinks of a tree; `made` holds the paths that recipes make."""

    def __init__(self, links: Mapping[str, str], sources: PathIndex, made: Container[str]) -> None:
        self._links, self._sources, self._made = links, sources, made

    def __bool__(self) -> bool:
        return bool(self._links)

    def follow(self, path: str, at: str) -> tuple[list[str], str]:
        """The links passed on the way to a path and where it ends; GraphError if that is outside the tree."""
        rest = path.split("/")[::-1]
        done: list[str] = []
        passed: list[str] = []
        while rest:
            part = rest.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not done:
                    raise self._outside(passed[-1] if passed else path, at)
                done.pop()
                continue
            done.append(part)
            text = self._links.get("/".join(done))
            if text is None:
                continue
            passed.append("/".join(done))
            if text.startswith("/"):
                raise self._outside(passed[-1], at)
            if len(passed) > _MOST:
                raise GraphError(f"symlink {path} leads in a circle", at=at, why=" → ".join(dict.fromkeys(passed)))
            done.pop()
            rest.extend(reversed(text.split("/")))
        return passed, "/".join(done)

    def widen(self, paths: Iterable[str], at: str) -> set[str]:
        """The paths, and everything that symlinks among them lead to."""
        found: set[str] = set()
        waiting = list(paths)
        while waiting:
            path = waiting.pop()
            if path in found:
                continue
            found.add(path)
            if path in self._links:
                passed, end = self.follow(path, at)
                found.update(passed)
                waiting.extend(self._at(end))
        return found

    def through(self, path: str, at: str) -> list[str]:
        """For a path that lies behind a linked folder: the links and the file; else nothing."""
        passed, end = self.follow(path, at)
        return [*passed, end] if passed and (end in self._sources or end in self._made) else []

    def _at(self, end: str) -> list[str]:
        if not end:
            return self._sources.paths
        return [end] if end in self._sources or end in self._made else self._sources.under(end)

    def _outside(self, link: str, at: str) -> GraphError:
        return GraphError(
            f"symlink {link} leads out of the tree",
            at=at,
            why=f"it holds {self._links.get(link, link)!r}, and a job is given files of the tree only",
            fix='copy what it leads to, or leave it out: [scan] ignore = ["…"]',
        )
