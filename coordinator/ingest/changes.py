"""What changed among ingested files: since a known state, or since a time or a revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coordinator.commit.base import Base, read_manifest, revisions
from coordinator.ingest import trees
from coordinator.project import Project
from shared import hashing
from shared.clock import from_iso
from shared.errors import BlobMissing, CorruptRecord, UsageError
from shared.model.file import FileState
from shared.model.manifest import Manifest, revision_name, revision_number

Files = Mapping[str, FileState]
# A file's text is given with the answer up to this size; longer ones are hydrated.
CONTENT_LIMIT = 256 << 10


def plan_build(project: Project, target: str | None = None) -> dict[str, Any]:
    """What a client that holds the state of a hash must do to hold the current one.

    `status` is `unchanged` or `changed`, `files` the entries to fetch (`path`, `current_hash`) or, with a known
    target, the changes: also `target_hash` and `change_type`; `current_hash` is null for a deleted file. For a hash
    that nobody knows, all files and a `warning`. Hashes are 64 hex digits. StoreUnavailable, CorruptRecord.
    """
    now = _current(project)
    hash_ = trees.tree_hash(now)
    answer: dict[str, Any] = {
        "status": "changed",
        "book_id": project.settings.project,
        "manifest_hash": hash_,
        "files": [],
        "changed_count": 0,
        "total_files": len(now),
    }
    if target is not None:
        answer["target_manifest_hash"] = target
    if target == hash_:
        return {**answer, "status": "unchanged"}
    before = None if target is None else _state_of(project, target)
    if before is not None:
        files = _changes(before, now)
    else:
        files = [{"path": path, "current_hash": hashing.bare(state.hash)} for path, state in sorted(now.items())]
        if target is not None:
            files = [{**file, "target_hash": None} for file in files]
            answer["warning"] = f"no kept revision has the state {target}; all files are listed"
    return {**answer, "files": files, "changed_count": len(files)}


def delta_build(project: Project, since: str, *, include_content: bool = False) -> dict[str, Any]:
    """What was ingested since a time (ISO 8601) or a revision: entries to fetch, and paths that went.

    An entry is `path`, `sha256` (64 hex digits), `last_modified` (when the revision was made that has it so) and
    `namespace`; with include_content also `content` (or `content_omitted` and why). UsageError for a time that is none.
    """
    base = project.load_base()
    now = _of(base)
    history, warning = _history(project, base, since)
    before = history[0].ingested if history else {}
    changed = _changes(before, now)
    times = _times(history[1:] if history else [])
    files: list[dict[str, Any]] = [
        {
            "path": change["path"],
            "sha256": change["current_hash"],
            "last_modified": times.get(change["path"], ""),
            "namespace": "base",
        }
        for change in changed
        if change["current_hash"] is not None
    ]
    if include_content:
        files = [{**file, **_content(project, now[file["path"]])} for file in files]
    deleted = [change["path"] for change in changed if change["current_hash"] is None]
    answer = {
        "book_id": project.settings.project,
        "since": since,
        "changed_count": len(files),
        "changed_files": files,
        "deleted_count": len(deleted),
        "deleted_files": deleted,
    }
    return {**answer, "warning": warning} if warning else answer


def _current(project: Project) -> Files:
    return _of(project.load_base())


def _of(base: Base) -> Files:
    if base.manifest is None and base.problems:
        raise CorruptRecord("the current revision cannot be read", why=base.problems[0], fix="windrow doctor")
    return base.manifest.ingested if base.manifest else {}


def _state_of(project: Project, hash_: str) -> Files | None:
    if hash_ == trees.tree_hash({}):
        return {}
    manifest = trees.find(project.stores.refs, *project.name, hash_)
    return None if manifest is None else manifest.ingested


def _changes(before: Files, now: Files) -> list[dict[str, Any]]:
    """Entries of what differs, sorted by path as code points."""
    entries: list[dict[str, Any]] = []
    for path in sorted({*before, *now}):
        was, is_ = before.get(path), now.get(path)
        if was is not None and is_ is not None and was.hash == is_.hash:
            continue
        kind = "added" if was is None else "deleted" if is_ is None else "modified"
        entries.append(
            {
                "path": path,
                "current_hash": hashing.bare(is_.hash) if is_ else None,
                "target_hash": hashing.bare(was.hash) if was else None,
                "change_type": kind,
            }
        )
    return entries


def _history(project: Project, base: Base, since: str) -> tuple[list[Manifest], str]:
    """The last revision not after `since`, and all later ones, oldest first; a warning when the first is not kept."""
    number, moment = _since(since)
    found: list[Manifest] = []
    kept = [one for one in revisions(project.stores.refs, *project.name) if one <= base.revision]
    for revision in reversed(kept):
        manifest = base.manifest if revision == base.revision else _read(project, revision)
        if manifest is None:
            continue
        found.append(manifest)
        if revision <= number or (moment is not None and from_iso(manifest.created_at) <= moment):
            return found[::-1], ""
    first = Manifest("", "", 0, {}, {}, {})
    oldest = found[-1] if found else None
    if oldest is not None and oldest.base_revision:
        warning = f"revisions before {revision_name(oldest.revision)} are not kept; all files are listed"
        return [first, *found[::-1]], warning
    return [first, *found[::-1]], ""


def _read(project: Project, revision: int) -> Manifest | None:
    try:
        return read_manifest(project.stores.refs, *project.name, revision)
    except CorruptRecord:
        return None  # the state before it tells the same, for a later time


def _since(text: str) -> tuple[int, float | None]:
    """The revision that is meant (-1: none), or the time in seconds."""
    if text.startswith("rev-"):
        try:
            return revision_number(text), None
        except ValueError:
            raise _no_time(text) from None
    try:
        return -1, from_iso(text)
    except ValueError:
        raise _no_time(text) from None


def _no_time(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is neither a time nor a revision",
        why="a time is in ISO 8601: 2026-11-26T14:00:00Z, or with an offset: 2026-11-26T15:00:00+01:00",
        fix="or name a revision: rev-0003",
    )


def _times(history: list[Manifest]) -> dict[str, str]:
    """When each file came to be as it is, as far as these revisions tell."""
    times: dict[str, str] = {}
    state: Files = {}
    for manifest in history:
        for path, file in manifest.ingested.items():
            if (was := state.get(path)) is None or was.hash != file.hash:
                times[path] = manifest.created_at
        state = manifest.ingested
    return times


def _content(project: Project, state: FileState) -> dict[str, str]:
    if state.size > CONTENT_LIMIT:
        return {"content_omitted": f"{state.size} bytes; at most {CONTENT_LIMIT} are given with an answer"}
    try:
        return {"content": project.stores.blobs.get(state.hash).decode()}
    except UnicodeDecodeError:
        return {"content_omitted": "it is no UTF-8 text"}
    except BlobMissing as error:
        return {"content_omitted": error.what}
