"""Edits: files that are to be written when a build begins, and outputs that somebody wrote by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from coordinator.commit.materialise import stay_inside
from coordinator.scan.scanner import NOT_A_FILE
from shared import atomic, canonical, hashing
from shared.errors import UsageError
from shared.model.file import FileState
from shared.model.graph import BuildGraph
from shared.model.manifest import Manifest
from shared.model.snapshot import Snapshot

if TYPE_CHECKING:
    from coordinator.project import Project

INPUT, ARTEFACT = "Input:", "Artifact:"  # what canonical ids begin with


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
    manifest: Manifest | None, graph: BuildGraph, snapshot: Snapshot, placed: Mapping[str, str]
) -> tuple[Manifest | None, dict[str, str]]:
    """The manifest as hand-written outputs make it, and these, by path, with the digest that each had before.

    Only outputs of editable recipes count; any other that was altered is made again. placed: path to digest of what a
    build put there that committed nothing.
    """
    if manifest is None:
        return None, {}
    before: dict[str, str] = {}
    artefacts = dict(manifest.artefacts)
    for path, artefact in manifest.artefacts.items():
        state = snapshot.outputs.get(path)
        if state is None or state.hash in (artefact.hash, NOT_A_FILE.hash, placed.get(path)) or state.mode == "link":
            continue
        if (maker := graph.producer.get(path)) is None or not graph.recipes[maker].editable:
            continue
        before[path] = artefact.hash
        artefacts[path] = msgspec.structs.replace(
            artefact, hash=state.hash, size=state.size, mode=state.mode, edited=True
        )
    return (msgspec.structs.replace(manifest, artefacts=artefacts), before) if before else (manifest, {})


def pend(project: Project, edits: Mapping[str, object]) -> None:
    """Have inputs and artefacts, by their canonical ids, be something else: in plans at once, in the tree with a build.

    The value of an input is one of JSON, an artefact is text. Raises UsageError for what is neither.
    """
    for id_, value in edits.items():
        if project.blueprint is None:
            raise UsageError(f"there is no {id_} in this project", why="it has no blueprint")
        if id_.startswith(INPUT):
            path, data = project.blueprint.with_value(id_.removeprefix(INPUT), value)
        elif id_.startswith(ARTEFACT):
            path, data = _path_of(project, id_), value.encode() if isinstance(value, str) else canonical.encode(value)
        else:
            raise UsageError(f"'{id_}' is no id", fix="write Input:Style, or Artifact:Narration[segment=1]")
        project.pending[path] = data
        project.blueprint.forget()


def write_pending(project: Project) -> bool:
    """Write what is pending into the tree, and whether that was anything; LocalError."""
    pending = dict(project.pending)
    for path, data in pending.items():
        stay_inside(project.settings.root, path)
        target = project.settings.root / path
        if not _holds(target, data):
            atomic.write_atomic(target, data, durable=False)
    project.pending.clear()
    if project.blueprint is not None:
        project.blueprint.forget()
    return bool(pending)


def _holds(target: Path, data: bytes) -> bool:
    try:
        return target.read_bytes() == data
    except OSError:
        return False  # if it cannot be replaced either, writing says why


def _path_of(project: Project, id_: str) -> str:
    manifest = project.load_base().manifest
    for path, artefact in (manifest.artefacts if manifest else {}).items():
        if artefact.id == id_:
            return path
    raise UsageError(f"there is no {id_}", why="no revision has made it yet", fix="windrow show lists what there is")
