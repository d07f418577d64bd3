"""ChangeSet: what a diff found."""

from __future__ import annotations

import msgspec


class ChangeSet(msgspec.Struct, frozen=True):
    """Paths by what happened to them since the manifest; every tuple is sorted.

    added, modified, deleted: sources. touched: sources with a new stat and the old content.
    missing, altered: outputs that are gone from the workspace or hold other bytes than the manifest says.
    """

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs in content."""
        return bool(self.added or self.modified or self.deleted or self.missing or self.altered)

    @property
    def sources(self) -> bool:
        """Whether a source differs in content."""
        return bool(self.added or self.modified or self.deleted)
