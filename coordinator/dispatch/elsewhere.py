"""Files outside the tree that a job has read: whether they are those of this machine."""

from __future__ import annotations

from typing import Protocol


class FilesBeyond(Protocol):
    """The files outside the tree, on this machine."""

    def state(self, paths: tuple[str, ...]) -> str:
        """What they hold, as keys have it."""
        ...

    def differing(self, paths: tuple[str, ...], marks: str) -> list[str]:
        """Those that hold something else than the ends of digests in `marks` say, if it has one for each."""
        ...

    def changed(self, paths: tuple[str, ...]) -> list[str]:
        """Those that are not as they were told to be; from now on they are told anew."""
        ...


class ReadElsewhere(Exception):
    """A job read files outside the tree that are not those of this machine; moved: they changed under it."""

    def __init__(self, what: str, *, moved: bool = False) -> None:
        super().__init__(what)
        self.what, self.moved = what, moved
