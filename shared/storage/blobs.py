"""BlobStore: blobs by digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol


class BlobInfo(NamedTuple):
    """A stored blob: digest, size in bytes, seconds since it was written or last used."""

    hash: str
    size: int
    age: float


class BlobStore(Protocol):
    """Blobs by digest (`sha256:<hex>`).

    A put returns only once a get would succeed, may be repeated, and refuses bytes that do not hash to
    the name (BlobCorrupt). get and fetch verify what they hand out: BlobMissing when it is not there;
    BlobCorrupt when the bytes are wrong, after which the blob counts as missing and may be put again.
    find_missing never calls a missing blob present. Any call may raise StoreUnavailable when a retry
    may help, and LocalError (disk full, permission) when this machine is the trouble. Thread-safe.
    """

    def get(self, hash_: str) -> bytes:
        """The bytes; for blobs small enough for memory."""
        ...

    def fetch(self, hash_: str, path: Path, *, executable: bool = False) -> int:
        """Write the blob to a new file (folder there, file not), mode 0644 or 0755; bytes moved from afar.

        Counts as a use of it, as find_missing does.
        """
        ...

    def put(self, hash_: str, data: bytes) -> int:
        """Store bytes; bytes moved afar (0 when it was there)."""
        ...

    def put_file(self, hash_: str, path: Path) -> int:
        """Store what a file holds, streaming; bytes moved afar (0 when it was there)."""
        ...

    def find_missing(self, hashes: Iterable[str]) -> set[str]:
        """Which of these are not there."""
        ...

    def believes(self, hash_: str) -> bool:
        """Whether this is known to be there without asking; False also where asking would cost nothing."""
        ...

    def far(self, hashes: Iterable[str]) -> set[str]:
        """Which of these would have to come over a wire: of such a reader fetches many at a time."""
        ...

    def touch(self, hashes: Iterable[str]) -> None:
        """Note that these were used, so that collection spares them for the promised time."""
        ...

    def delete(self, hash_: str) -> None:
        """Forget a blob; nothing happens if it is not there."""
        ...

    def blobs(self) -> Iterator[BlobInfo]:
        """Every blob, in no order."""
        ...
