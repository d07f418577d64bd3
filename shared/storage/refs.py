"""RefStore: small records by name, some of them changed by compare-and-swap."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """A record's bytes and the tag a swap must name."""

    data: bytes
    tag: str


class RefStore(Protocol):
    """Small records by slash-separated name, e.g. `projects/hello/main/current.json`.

    read sees the last finished write. create and swap are atomic among all clients of the store: of many
    at once exactly one wins. Raises StoreUnavailable when a retry may help. Thread-safe.
    """

    def read(self, name: str) -> Record | None:
        """The record, or None."""
        ...

    def create(self, name: str, data: bytes) -> str | None:
        """Write a record that is not there yet; its tag, or None if one was there."""
        ...

    def swap(self, name: str, data: bytes, expected: str | None, *, fence: int = 0) -> str:
        """Replace the record whose tag is `expected` (None: there is none); its new tag.

        Conflict when another tag stands there, or when a swap with a higher fence was made.
        """
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a record, whatever stands there."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The names that start with a prefix, sorted."""
        ...

    def delete(self, name: str) -> None:
        """Remove a record; nothing happens if it is not there."""
        ...
