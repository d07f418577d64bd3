"""States of what was ingested, by the hash of the whole: what delta queries and hydrate name them by."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from coordinator import refnames
from coordinator.commit.base import read_manifest
from shared import canonical, hashing
from shared.errors import CorruptRecord, SchemaUnknown
from shared.model.file import FileState
from shared.model.manifest import Manifest
from shared.storage.refs import RefStore

SCHEMA = "windrow.tree/1"


class Tree(msgspec.Struct, frozen=True):
    """Record `trees/<64 hex>.json`: a revision that holds this state."""

    revision: int
    schema: str = SCHEMA


def tree_hash(files: Mapping[str, FileState]) -> str:
    """64 hex digits for a state: of its sorted `path:hex` lines, joined by newline."""
    return hashing.bare(hashing.of_tree((path, state.hash) for path, state in files.items()))


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
