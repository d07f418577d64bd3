"""Outputs whose blob vanished from the store while a build ran: stored again from wherever their bytes still are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.errors import BlobCorrupt
from shared.storage.compose import Stores


def store_again(stores: Stores, root: Path, lost: Mapping[str, str]) -> set[str]:
    """Store blobs (by digest: the output's path) once more; those whose bytes are nowhere on this machine."""
    return {hash_ for hash_, path in lost.items() if not _store_one(stores, hash_, root / path)}


def _store_one(stores: Stores, hash_: str, output: Path) -> bool:
    # The cache in front of a remote store holds what other projects made as well.
    for place in (output, stores.local.path(hash_)):
        if place.is_file() and not place.is_symlink():
            try:
                stores.blobs.put_file(hash_, place)
            except BlobCorrupt:
                continue
            return True
    return False
