"""AgedRefs: records that also tell how long ago they were written, which collection needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from shared.storage.refs import RefStore


class AgedRefs(RefStore, Protocol):
    """A RefStore that lists ages."""

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Names that start with a prefix, in no order, and the seconds since each was written."""
        ...
