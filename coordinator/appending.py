"""Events that somebody appends by hand: with a payload they are an edit, which is written into the tree as well."""

from __future__ import annotations

from typing import Any

from coordinator.edits import ARTEFACT, INPUT, pend, write_pending
from coordinator.lock import workspace
from coordinator.project import Project
from shared import canonical, hashing
from shared.errors import UsageError
from shared.model.path import is_normal


def edited(project: Project, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event without their payload and with its digest: what it says of one itself does not count.

    The payload is what the input or artefact of a blueprint, or a source, is to hold from now on. UsageError for an id
    that is none, LockHeld while a build works in the tree.
    """
    payload, name = fields["payload"], "id" if kind == "input" else "artefact"
    told = {key: value for key, value in fields.items() if key not in ("payload", "hash", "size")}
    id_ = told.get(name)
    if not isinstance(id_, str):
        raise UsageError(f"an {kind} event has no '{name}'")
    if id_.startswith(ARTEFACT if kind == "input" else INPUT):
        raise UsageError(f"'{id_}' is no {kind}", fix="--type input for Input:…, --type artefact for Artifact:…")
    data = payload.encode() if isinstance(payload, str) else canonical.encode(payload)
    before = set(project.pending)
    if id_.startswith((INPUT, ARTEFACT)):
        pend(project, {id_: payload})
    elif kind == "input" and is_normal(id_) and (project.settings.root / id_).is_file():
        project.pending[id_] = data
    else:
        raise UsageError(f"there is no {kind} '{id_}' to give a payload to")
    (path,) = set(project.pending) - before
    if kind == "input":
        value = id_.startswith(INPUT)
        hash_ = hashing.of_value(payload) if value else hashing.of_bytes(data)
        told = {"change": "modified", "what": "value" if value else "source", **told, "hash": hash_}
    else:
        made = _made(project, path)
        own = {"inputs_hash": made[1], "produced_by": made[0], "message": "by hand"}
        told = {**own, **told, "artefact": path, "status": "edited", "hash": hashing.of_bytes(data), "size": len(data)}
    with workspace.holding(project.settings.state_dir, project.clock, wait=0.0):
        write_pending(project)
    return told


def _made(project: Project, path: str) -> tuple[str, str]:
    """The job that makes an artefact, and the key of its result."""
    manifest = project.load_base().manifest
    assert manifest is not None
    job = manifest.artefacts[path].job
    return job, manifest.jobs[job].key
