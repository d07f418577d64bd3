"""Reads what a build starts from: the pointer, and the manifest it names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from coordinator import refnames
from shared import atomic, hashing
from shared.errors import CorruptRecord, LocalError, SchemaUnknown
from shared.model import stored_manifest
from shared.model.manifest import POINTER_SCHEMA, READABLE, Manifest, Pointer, revision_name
from shared.model.path import is_normal
from shared.storage.refs import RefStore

_Record = TypeVar("_Record", Pointer, Manifest)


class Base(msgspec.Struct, frozen=True):
    """What a project and branch stand at.

    tag: what a swap of the pointer must name, None when there is no pointer. manifest: None before the first
    build, or when the stored state cannot be read (`problems` says so, and everything is built again).
    fence: the highest known. next_revision: the number to try first. damaged: a pointer that cannot be read.
    """

    project: str
    branch: str
    pointer: Pointer | None = None
    tag: str | None = None
    manifest: Manifest | None = None
    manifest_hash: str = ""
    fence: int = 0
    next_revision: int = 1
    problems: tuple[str, ...] = ()
    damaged: bytes = b""

    @property
    def revision(self) -> int:
        """The number of the manifest; 0 when there is none to go by."""
        return self.manifest.revision if self.manifest else 0


class _Head(msgspec.Struct):
    """What any version of a record can be asked."""

    schema: str = ""
    tool: str = ""


def load(
    refs: RefStore,
    project: str,
    branch: str,
    *,
    local: Path | None = None,
    known: Base | None = None,
    outdated: Callable[[Manifest, Manifest | None], None] = lambda _old, _new: None,
) -> Base:
    """The present base; SchemaUnknown when a newer Windrow wrote it, StoreUnavailable.

    local: a copy of the manifest in the workspace, used instead of the store's when it is the same.
    known: what was loaded before, and is given back as it is while the pointer stays the same.
    outdated: is told of a copy that is of another revision, and of what takes its place, before that goes: the
    workspace may hold what it says.
    """
    record = refs.read(refnames.pointer(project, branch))
    if record is None:
        _give_up(local, None, outdated)
        return _highest(refs, Base(project, branch))
    if known is not None and known.tag == record.tag:
        return known
    try:
        pointer = _pointer(record.data)
    except CorruptRecord as error:
        problem = f"{error.what} ({error.why}); building fully, and replacing it"
        return _highest(refs, Base(project, branch, tag=record.tag, damaged=record.data, problems=(problem,)))
    base = Base(project, branch, pointer, record.tag, fence=pointer.fence)
    copied = _local(local, pointer)
    if copied is not None:
        return _with(base, copied, pointer.manifest_hash)
    try:
        manifest, data = _fetch(refs, base, pointer)
    except CorruptRecord as error:
        problem = f"{error.what} ({error.why}); building fully"
        return _highest(refs, msgspec.structs.replace(base, problems=(problem,)))
    _give_up(local, manifest, outdated)
    return _with(base, manifest, pointer.manifest_hash, problems=keep(local, data))


def read_manifest(refs: RefStore, project: str, branch: str, revision: int) -> Manifest | None:
    """A revision by its number, None if there is none; CorruptRecord, SchemaUnknown, StoreUnavailable."""
    record = refs.read(refnames.manifest(project, branch, revision))
    return None if record is None else _read(record.data, project, branch, revision)


def revisions(refs: RefStore, project: str, branch: str) -> list[int]:
    """The numbers of all manifests, ascending; those above the pointer's are orphans of builds that died."""
    names = refs.names(refnames.manifests(project, branch))
    return sorted(number for number in map(refnames.revision_of, names) if number is not None)


def keep(local: Path | None, data: bytes) -> tuple[str, ...]:
    """Keep a copy of a manifest's bytes in the workspace; what went wrong, since only time is lost by it."""
    if local is None:
        return ()
    try:
        atomic.write_atomic(local, data, durable=False)
    except LocalError as error:
        return (f"no copy of the manifest kept: {error.what}",)
    return ()


def _with(base: Base, manifest: Manifest, manifest_hash: str, problems: tuple[str, ...] = ()) -> Base:
    return msgspec.structs.replace(
        base, manifest=manifest, manifest_hash=manifest_hash, next_revision=manifest.revision + 1, problems=problems
    )


def _highest(refs: RefStore, base: Base) -> Base:
    """The base numbered past every manifest there is, its fence the highest that can be told."""
    numbers = revisions(refs, base.project, base.branch)
    highest = max([*numbers, base.pointer.revision if base.pointer else 0])
    fence = base.fence
    if numbers and base.pointer is None:
        try:
            last = read_manifest(refs, base.project, base.branch, numbers[-1])
        except CorruptRecord:
            # Its fence cannot be told; the swap still names the pointer it replaces.
            last = None
        fence = max(fence, last.fence if last else 0)
    return msgspec.structs.replace(base, fence=fence, next_revision=highest + 1)


def _pointer(data: bytes) -> Pointer:
    pointer = _decode(data, msgspec.json.Decoder(Pointer).decode, (POINTER_SCHEMA,), "current.json")
    if pointer.revision < 1 or not hashing.is_digest(pointer.manifest_hash):
        raise CorruptRecord("current.json cannot be read", why="it names no revision")
    return pointer


def _local(path: Path | None, pointer: Pointer) -> Manifest | None:
    """The workspace's copy, if it is byte for byte what the pointer names."""
    if path is None:
        return None
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if hashing.of_bytes(data) != pointer.manifest_hash:
        return None
    # It was examined before it was kept.
    return stored_manifest.decode(data)


def _give_up(path: Path | None, new: Manifest | None, outdated: Callable[[Manifest, Manifest | None], None]) -> None:
    """Tell of a copy in the workspace that is of no use any more, and remove it; a damaged one tells nothing."""
    if path is None:
        return
    try:
        old = stored_manifest.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return
    if not _fault(old):
        outdated(old, new)
    # Else each look at a branch that has no revision yet would read it again.
    with suppress(OSError):
        path.unlink()


def _fetch(refs: RefStore, base: Base, pointer: Pointer) -> tuple[Manifest, bytes]:
    name = revision_name(pointer.revision)
    record = refs.read(refnames.manifest(base.project, base.branch, pointer.revision))
    if record is None:
        raise CorruptRecord(f"manifest {name} is missing", why="current.json names it")
    if hashing.of_bytes(record.data) != pointer.manifest_hash:
        raise CorruptRecord(f"manifest {name} is damaged", why="its bytes do not hash to what current.json says")
    return _read(record.data, base.project, base.branch, pointer.revision), record.data


def _read(data: bytes, project: str, branch: str, revision: int) -> Manifest:
    name = f"manifest {revision_name(revision)}"
    manifest = _decode(data, stored_manifest.decode, READABLE, name)
    problem = _fault(manifest)
    if (manifest.project, manifest.branch, manifest.revision) != (project, branch, revision):
        problem = f"it belongs to {manifest.project}/{manifest.branch} {revision_name(manifest.revision)}"
    if problem:
        raise CorruptRecord(f"{name} is damaged", why=problem)
    return manifest


def _fault(manifest: Manifest) -> str:
    hashes = [(path, state.hash) for path, state in manifest.sources.items()]
    hashes += [(path, state.hash) for path, state in manifest.ingested.items()]
    hashes += [(path, artefact.hash) for path, artefact in manifest.artefacts.items()]
    for path, hash_ in hashes:
        if not is_normal(path):
            return f"it holds the path {path!r}"
        if not hashing.is_digest(hash_):
            return f"it holds no digest for {path}"
    for path, artefact in manifest.artefacts.items():
        if artefact.job not in manifest.jobs:
            return f"no job of it makes {path}"
    return ""


def _decode(data: bytes, read: Callable[[bytes], _Record], schemas: Sequence[str], name: str) -> _Record:
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.MsgspecError as error:
        raise CorruptRecord(f"{name} cannot be read", why=str(error)) from error
    family, _, major = head.schema.rpartition("/")
    if head.schema not in schemas:
        newest = schemas[-1]
        if family == newest.rpartition("/")[0] and major.isdigit():
            raise SchemaUnknown(
                f"{name} has schema {head.schema}; this Windrow reads {newest}",
                why=f"it was written by {head.tool or 'a newer Windrow'}",
                fix="use that version of Windrow, or a newer one",
            )
        raise CorruptRecord(f"{name} cannot be read", why=f"its schema is {head.schema!r}")
    try:
        return read(data)
    except msgspec.MsgspecError as error:
        raise CorruptRecord(f"{name} cannot be read", why=str(error)) from error
