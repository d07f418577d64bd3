"""Small files that travel with a message, so that its reader need not ask a store for them."""

from __future__ import annotations

from collections.abc import Mapping

from shared import hashing
from shared.storage.blobs import BlobStore

EACH = 32 << 10  # bytes of a file that travels
ALL = 64 << 10  # bytes of all that travel with one order or outcome


def carried(blobs: BlobStore, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """The bytes of those that are small, by digest, as far as there is room; raises what BlobStore.get does.

    sizes: in bytes, of blobs that were just stored: what lies in front of a far store has them.
    """
    found: dict[str, bytes] = {}
    room = ALL
    for hash_, size in sizes.items():
        if size <= min(EACH, room):
            found[hash_] = blobs.get(hash_)
            room -= size
    return found


def honest(carried_: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those that hash to their digest; a reader asks a store for the others."""
    return {hash_: data for hash_, data in carried_.items() if hashing.of_bytes(data) == hash_}
