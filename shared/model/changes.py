"""ChangeSet: what a diff found."""

from __future__ import annotations

import msgspec


class ChangeSet(msgspec.Struct, frozen=True):
    """Paths by what happened to them since the manifest; every tuple is sorted.

    added, modified, deleted: sources. touched: sources with a new stat and the old content.
    missing, altered: outputs that are gone from the workspace or hold other bytes than the manifest says.
    edited: outputs that somebody wrote by hand, and that stand for what their jobs made.
    """

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs in content."""
        return bool(self.sources or self.missing or self.altered)

    @property
    def sources(self) -> bool:
        """Whether a source differs in content, or an output that was written by hand, which is as good as one."""
        return bool(self.added or self.modified or self.deleted or self.edited)
