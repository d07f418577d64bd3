"""Stage 2. What changed: Manifest and Snapshot to ChangeSet. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping

import msgspec

from shared.model.changes import ChangeSet
from shared.model.file import FileState
from shared.model.manifest import Artefact, Manifest
from shared.model.snapshot import Snapshot


def diff(manifest: Manifest | None, snapshot: Snapshot) -> ChangeSet:
    """What differs between the committed state and the tree; without a manifest every source is added.

    Content alone decides: digest and kind of file; never a time, and not the category.
    """
    before = manifest.sources if manifest else {}
    after = snapshot.sources
    modified = [path for path, state in after.items() if (was := before.get(path)) and not state.same_content(was)]
    changed = frozenset(modified)
    missing: list[str] = []
    altered: list[str] = []
    for path, artefact in (manifest.artefacts if manifest else {}).items():
        if artefact.stored:
            continue
        state = snapshot.outputs.get(path)
        if state is None:
            missing.append(path)
        elif not _as_made(state, artefact):
            altered.append(path)
    return ChangeSet(
        added=tuple(sorted(after.keys() - before.keys())),
        modified=tuple(sorted(modified)),
        deleted=tuple(sorted(before.keys() - after.keys())),
        touched=tuple(
            sorted(path for path in snapshot.touched if path in before and path in after and path not in changed)
        ),
        missing=tuple(sorted(missing)),
        altered=tuple(sorted(altered)),
    )


def reclaim(manifest: Manifest | None, snapshot: Snapshot, placed: Mapping[str, str]) -> Snapshot:
    """The snapshot with the outputs that somebody wrote over among the sources too.

    placed: path to digest of what builds put there and the manifest does not have; nobody has written that by hand.

    Rules may have changed since the manifest: what was made may be written by hand now. The importers
    leave out what a rule still makes; `sift` then says which it is.
    """
    made = manifest.artefacts if manifest else {}
    written = {
        path: state
        for path, state in snapshot.outputs.items()
        if placed.get(path) != state.hash and ((was := made.get(path)) is None or not _as_made(state, was))
    }
    return msgspec.structs.replace(snapshot, sources={**snapshot.sources, **written}) if written else snapshot


def sift(snapshot: Snapshot, made: Container[str]) -> Snapshot:
    """The snapshot with what recipes make among the outputs alone, and what they do not make not in both."""
    misplaced = [path for path in snapshot.sources if path in made]
    both = [path for path in snapshot.outputs if path in snapshot.sources and path not in made]
    if not misplaced and not both:
        return snapshot
    sources, outputs = dict(snapshot.sources), dict(snapshot.outputs)
    for path in misplaced:
        outputs[path] = sources.pop(path)
    for path in both:
        del outputs[path]
    return msgspec.structs.replace(snapshot, sources=sources, outputs=outputs)


def _as_made(state: FileState, artefact: Artefact) -> bool:
    return state.hash == artefact.hash and state.mode == artefact.mode
