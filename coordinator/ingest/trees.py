"""States of what was ingested, by the hash of the whole: what delta queries and hydrate name them by."""

from __future__ import annotations

import msgspec

from coordinator import refnames
from coordinator.commit.base import read_manifest
from shared import canonical, hashing
from shared.errors import CorruptRecord, SchemaUnknown
from shared.model.manifest import Manifest
from shared.storage.refs import RefStore
from shared.storage.trees import Tree, tree_hash

__all__ = ["find", "remember", "tree_hash"]


def remember(refs: RefStore, manifest: Manifest) -> None:
    """Have the state of a revision found by its hash. StoreUnavailable, LocalError."""
    name = refnames.tree(manifest.project, manifest.branch, tree_hash(manifest.ingested))
    refs.write(name, canonical.encode(Tree(manifest.revision)))


def find(refs: RefStore, project: str, branch: str, hash_: str) -> Manifest | None:
    """A revision that holds the state of this hash; None when none does that is still kept. StoreUnavailable."""
    if not hashing.is_digest(hashing.PREFIX + hash_):
        return None
    record = refs.read(refnames.tree(project, branch, hash_))
    if record is None:
        return None
    try:
        tree = msgspec.json.decode(record.data, type=Tree)
        manifest = read_manifest(refs, project, branch, tree.revision)
    except (msgspec.MsgspecError, CorruptRecord, SchemaUnknown):
        return None  # as good as not there: whoever asks falls back to everything
    # A record is a hint; the revision says itself what it holds.
    return manifest if manifest is not None and tree_hash(manifest.ingested) == hash_ else None
