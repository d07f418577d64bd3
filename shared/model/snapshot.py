"""Snapshot: what a scan saw."""

from __future__ import annotations

import msgspec

from shared.model.file import FileState


class Snapshot(msgspec.Struct, frozen=True):
    """The tree at one moment.

    sources: every file of the tree that is neither ignored nor a known output, by path.
    outputs: those of the known output paths that exist, by path.
    links: symlink path to the text it holds.
    touched: sources whose stat changed while their content did not.
    hashed: how many files had to be read. folders: those among the paths asked for by name that are folders.
    """

    sources: dict[str, FileState]
    outputs: dict[str, FileState]
    links: dict[str, str] = {}
    touched: tuple[str, ...] = ()
    hashed: int = 0
    folders: frozenset[str] = frozenset()
