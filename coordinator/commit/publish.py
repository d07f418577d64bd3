"""Makes a manifest the current one: writes it under the next number, then swaps the pointer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from coordinator import refnames
from coordinator.commit.base import Base, keep, load, revisions
from coordinator.lock.lease import Lease
from shared import canonical, failpoint, hashing
from shared.errors import Conflict, LockLost, StoreUnavailable
from shared.model import stored_manifest
from shared.model.manifest import Manifest, Pointer, revision_name
from shared.storage.refs import RefStore
from shared.version import VERSION

__all__ = ["Base", "content_hash", "load", "publish"]


def publish(refs: RefStore, base: Base, draft: Manifest, lease: Lease, *, now: str, local: Path | None = None) -> Base:
    """Commit a draft on top of its base; the new base. `now` is ISO 8601.

    Project, branch, build, number, hashes, fence and time are filled in here.

    Raises LockLost when the lease is not ours any more, Conflict when the base moved, StoreUnavailable; then
    the pointer is as it was, and at most a manifest that nothing names is left.
    """
    _hold(lease, base)
    if base.damaged:
        name = f"{hashing.bare(hashing.of_bytes(base.damaged))[:16]}.current.json"
        refs.create(refnames.damaged(base.project, base.branch, name), base.damaged)
    failpoint.hit("commit.before-manifest")
    manifest, data = _write(refs, base, _complete(base, draft, lease, now))
    failpoint.hit("commit.after-manifest")
    pointer = Pointer(manifest.revision, hashing.of_bytes(data), lease.fence, manifest.created_at, manifest.build)
    # Somebody may have taken the lock away since its last renewal, and not have committed himself.
    _hold(lease, base, ask=True)
    failpoint.hit("commit.before-pointer")
    tag = _swap(refs, base, pointer, lease.fence)
    failpoint.hit("commit.after-pointer")
    return Base(
        base.project,
        base.branch,
        pointer,
        tag,
        manifest,
        pointer.manifest_hash,
        lease.fence,
        manifest.revision + 1,
        keep(local, data),
    )


def content_hash(manifest: Manifest) -> str:
    """The digest of everything a manifest holds: sources, artefacts, and what was ingested."""
    lines = [(path, state.hash) for path, state in manifest.sources.items()]
    lines += [(path, artefact.hash) for path, artefact in manifest.artefacts.items()]
    # What was hydrated and built from is a source too: the same line twice would say nothing more.
    lines += {(path, state.hash) for path, state in manifest.ingested.items()}.difference(lines)
    return hashing.of_tree(lines)


def _hold(lease: Lease, base: Base, *, ask: bool = False) -> None:
    if lease.lost(ask=ask) or lease.fence <= base.fence:
        raise LockLost(
            "the build lock was lost while building; nothing was committed",
            why="another build took it after this one had not renewed it in time, or `windrow lock break` did",
            fix="build again: finished jobs are kept and will not run a second time",
        )


def _complete(base: Base, draft: Manifest, lease: Lease, now: str) -> Manifest:
    return msgspec.structs.replace(
        draft,
        project=base.project,
        branch=base.branch,
        build=lease.holder.build,
        created_at=now,
        tool=draft.tool or f"windrow {VERSION}",
        content_hash=content_hash(draft),
        base_revision=base.revision,
        base_hash=base.manifest_hash,
        fence=lease.fence,
    )


def _write(refs: RefStore, base: Base, complete: Manifest) -> tuple[Manifest, bytes]:
    """Store the manifest under the first free number; a number in use belongs to a build that died before its swap."""
    revision = base.next_revision
    while True:
        manifest = msgspec.structs.replace(complete, revision=revision)
        data = stored_manifest.encode(manifest)
        name = refnames.manifest(base.project, base.branch, revision)
        if refs.create(name, data) is not None:
            return manifest, data
        found = refs.read(name)
        if found is not None and found.data == data:
            # Written by this very call: the reply was lost.
            return manifest, data
        pointer = refs.read(refnames.pointer(base.project, base.branch))
        if (pointer.tag if pointer else None) != base.tag:
            # The number is taken because somebody committed: no need to leave an orphan.
            raise _conflict(refs, base)
        revision = max(revision, *revisions(refs, base.project, base.branch)) + 1


def _swap(refs: RefStore, base: Base, pointer: Pointer, fence: int) -> str:
    name, data = refnames.pointer(base.project, base.branch), canonical.encode(pointer)
    try:
        return refs.swap(name, data, base.tag, fence=fence)
    except (Conflict, StoreUnavailable) as error:
        found = refs.read(name)
        if found is not None and found.data == data:
            # It was done, and the reply was lost.
            return found.tag
        if isinstance(error, StoreUnavailable):
            raise
        raise _conflict(refs, base) from error


def _conflict(refs: RefStore, base: Base) -> Conflict:
    now = load(refs, base.project, base.branch).pointer
    expected = revision_name(base.pointer.revision) if base.pointer else "no revision"
    found = f"{revision_name(now.revision)} (build {now.build}, {now.updated_at})" if now else "none that can be read"
    return Conflict(
        "another build committed first; nothing of this one was",
        at=refnames.pointer(base.project, base.branch),
        why=f"this build started from {expected}; the current revision is {found}",
        fix="build again: finished jobs are kept and will not run a second time",
    )
