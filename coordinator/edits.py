"""Edits: files that are to be written when a build begins, and outputs that somebody wrote by hand."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from coordinator.scan.scanner import NOT_A_FILE
from shared import hashing
from shared.model.file import FileState
from shared.model.graph import BuildGraph
from shared.model.manifest import Manifest
from shared.model.snapshot import Snapshot


def overlaid(snapshot: Snapshot, pending: Mapping[str, bytes]) -> Snapshot:
    """The snapshot as it will be once the pending files are written."""
    if not pending:
        return snapshot
    sources, outputs = dict(snapshot.sources), dict(snapshot.outputs)
    for path, data in pending.items():
        place = outputs if path in outputs else sources
        before = place.get(path) or FileState("", 0)
        place[path] = msgspec.structs.replace(before, hash=hashing.of_bytes(data), size=len(data), mode="file")
    return msgspec.structs.replace(snapshot, sources=sources, outputs=outputs)


def with_edits(
    manifest: Manifest | None, graph: BuildGraph, snapshot: Snapshot
) -> tuple[Manifest | None, dict[str, str]]:
    """The manifest as hand-written outputs make it, and these, by path, with the digest that each had before.

    Only outputs of editable recipes count; any other that was altered is made again.
    """
    if manifest is None:
        return None, {}
    before: dict[str, str] = {}
    artefacts = dict(manifest.artefacts)
    for path, artefact in manifest.artefacts.items():
        state = snapshot.outputs.get(path)
        if state is None or state.hash in (artefact.hash, NOT_A_FILE.hash) or state.mode == "link":
            continue
        if (maker := graph.producer.get(path)) is None or not graph.recipes[maker].editable:
            continue
        before[path] = artefact.hash
        artefacts[path] = msgspec.structs.replace(
            artefact, hash=state.hash, size=state.size, mode=state.mode, edited=True
        )
    return (msgspec.structs.replace(manifest, artefacts=artefacts), before) if before else (manifest, {})
