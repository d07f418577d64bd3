"""An ingest from start to end: look, compare, send, and commit a revision of kind `source`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from coordinator.commit.base import Base
from coordinator.history.archive import archive
from coordinator.ingest import delta as deltas
from coordinator.ingest import trees
from coordinator.ingest.delta import Delta
from coordinator.ingest.mapping import Mapper
from coordinator.ingest.source import Source, look, state_folder
from coordinator.lock import workspace
from coordinator.lock.lease import me
from coordinator.project import Project
from shared import atomic, failpoint
from shared.clock import iso
from shared.errors import BlobCorrupt, FarmError, LocalError, WindrowError
from shared.model.event import Event, IngestEvent
from shared.model.file import FileState
from shared.model.manifest import Manifest

CONCURRENCY = 5
TOLD = 5  # errors that are named; of the others only how many there are


class IngestRequest(msgspec.Struct, frozen=True):
    """What is asked of an ingest. wait: seconds for the lock, None without limit. concurrency: files sent at once."""

    folder: Path
    dry_run: bool = False
    force: bool = False
    verify: bool = False
    wait: float | None = 0.0
    concurrency: int = CONCURRENCY


class IngestReport(msgspec.Struct, frozen=True):
    """What came of it. revision: 0 when none was made. sent: files whose bytes went to the store, `bytes` in all."""

    source: Source
    delta: Delta
    manifest_hash: str
    base_revision: int
    revision: int = 0
    sent: int = 0
    bytes: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


def ingest(project: Project, request: IngestRequest, mapper: Mapper) -> IngestReport:
    """Have the store hold what a source folder holds, and commit it as one revision; all of it or nothing.

    Raises DeletionRefused, PathsCollide, Conflict, LockHeld, FarmError, LocalError; then no revision was made, and
    what was sent is in the store for the next try.
    """
    began = project.clock.monotonic()
    if not request.dry_run:
        _make_state(project, request.folder)
    base = project.load_base()
    source = look(request.folder, project.settings, mapper, verify=request.verify)
    before = ingested(base)
    delta = deltas.compare(before, source.files)
    if not request.force:
        deltas.guard(before, delta)
    report = IngestReport(source, delta, trees.tree_hash(source.files), base.revision, warnings=base.problems)
    if request.dry_run:
        return msgspec.structs.replace(report, seconds=project.clock.monotonic() - began)
    if delta:
        sent, size = _send(project, source, delta, request.concurrency)
        failpoint.hit("ingest.sent")
        report = _commit(project, request, base, msgspec.structs.replace(report, sent=sent, bytes=size))
    problem = source.scanned.save()
    warnings = (*report.warnings, *((problem,) if problem else ()))
    return msgspec.structs.replace(report, seconds=project.clock.monotonic() - began, warnings=warnings)


def ingested(base: Base) -> dict[str, FileState]:
    """What is ingested as of a base."""
    return base.manifest.ingested if base.manifest else {}


def _make_state(project: Project, folder: Path) -> None:
    if not folder.is_dir():
        return  # which is said when it is looked at
    atomic.make_folder(state_folder(folder, project.settings), durable=False)
    workspace.keep_out_of_git(project.settings.state_dir)


def _send(project: Project, source: Source, delta: Delta, concurrency: int) -> tuple[int, int]:
    """Have the store hold every added and updated file; how many went there, and their bytes."""
    blobs = project.stores.blobs
    wanted = {delta.now[path].hash: path for path in (*delta.updated, *delta.added)}
    missing = blobs.find_missing(wanted)
    todo = sorted(wanted[hash_] for hash_ in missing)

    def send(path: str) -> int | WindrowError:
        state, place = delta.now[path], source.folder / source.origin[path]
        try:
            blobs.put_file(state.hash, place)
        except BlobCorrupt as error:
            changed = LocalError(
                f"{source.origin[path]} changed while it was ingested", at=str(place), fix="ingest again"
            )
            changed.__cause__ = error
            return changed
        except (FarmError, LocalError) as error:
            return error
        return state.size

    with ThreadPoolExecutor(concurrency, thread_name_prefix="ingest") as pool:
        answers = list(pool.map(send, todo))
    failures = [(path, answer) for path, answer in zip(todo, answers, strict=True) if isinstance(answer, WindrowError)]
    if failures:
        raise _failed(failures, len(todo))
    return len(todo), sum(answer for answer in answers if isinstance(answer, int))


def _failed(failures: list[tuple[str, WindrowError]], count: int) -> WindrowError:
    """One error for all: of the kind of the first, naming a few."""
    first = failures[0][1]
    if count == 1 or len(failures) == 1:
        return first
    told = "; ".join(f"{path}: {error.what}" for path, error in failures[:TOLD])
    more = f"; and {len(failures) - TOLD:,} more" if len(failures) > TOLD else ""
    error = LocalError if isinstance(first, LocalError) else FarmError
    return error(
        f"{len(failures):,} of {count:,} files could not be sent; nothing was committed",
        at=first.at,
        why=told + more,
        fix=first.fix or "ingest again: what was sent is kept",
    )


def _commit(project: Project, request: IngestRequest, seen: Base, report: IngestReport) -> IngestReport:
    """Under the lock: what is to be, on top of what is there by now."""
    name = os.urandom(3).hex()
    lease = project.lock().acquire(me(name, target="ingest"), wait=request.wait, at_least=seen.fence)
    try:
        base = project.load_base(seen)
        files = deltas.rebase(report.delta, ingested(base))
        if base.manifest is not None and files == base.manifest.ingested:
            # Somebody ingested the same meanwhile.
            return msgspec.structs.replace(report, base_revision=base.revision)
        _refuse_lost(project, report)
        before = base.manifest or Manifest("", "", 0, {}, {}, {})
        draft = msgspec.structs.replace(before, ingested=files, kind="source", tool="")
        committed = project.publish(base, draft, lease)
        manifest = committed.manifest
        assert manifest is not None
        problems = [*committed.problems, *_record(project, report, name, manifest)]
    finally:
        lease.release()
    return msgspec.structs.replace(
        report,
        revision=committed.revision,
        base_revision=base.revision,
        manifest_hash=trees.tree_hash(files),
        warnings=(*report.warnings, *problems),
    )


def _refuse_lost(project: Project, report: IngestReport) -> None:
    """No revision may name a blob that is gone, whoever took it away since it was sent."""
    delta = report.delta
    lost = project.stores.blobs.find_missing({state.hash for state in delta.now.values()})
    if lost:
        path = min(path for path, state in delta.now.items() if state.hash in lost)
        raise FarmError(f"the stored bytes of {path} vanished while ingesting", fix="ingest again")


def _record(project: Project, report: IngestReport, build: str, manifest: Manifest) -> tuple[str, ...]:
    """Events of the ingest, and the index by which its state is found again; what went wrong: the commit stands."""
    now, delta = iso(project.clock.now()), report.delta
    changes = {**dict.fromkeys(delta.added, "added"), **dict.fromkeys(delta.updated, "modified")}
    events: list[Event] = [
        IngestEvent(
            path,
            manifest.revision,
            delta.now[path].hash if path in delta.now else "",
            change,  # type: ignore[arg-type]
            build,
            now,
            report.source.origin.get(path, ""),
        )
        for path, change in sorted({**changes, **dict.fromkeys(delta.deleted, "deleted")}.items())
    ]
    problems: list[str] = []
    try:
        trees.remember(project.stores.refs, manifest)
        log = project.event_log()
        log.append(events)
        problems += archive(project.stores.refs, log, *project.name, manifest.revision)
    except (FarmError, LocalError) as error:
        problems.append(f"the revision stands, but its events are not all kept: {error.what}")
    return tuple(problems)
