"""Collection of what nobody needs any more, verification of what is there, and the figures of both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from shared import hashing
from shared.errors import BlobCorrupt, BlobMissing, CorruptRecord, SchemaUnknown
from shared.model.manifest import MANIFEST_SCHEMA, POINTER_SCHEMA, Manifest, Pointer
from shared.storage.ages import AgedRefs
from shared.storage.blobs import BlobInfo, BlobStore
from shared.storage.compose import Stores
from shared.storage.stored_results import blobs_of, decode_result, decode_traces

_PROJECTS, _RESULTS, _MANIFESTS = "projects/", "results/", "/manifests/"
_IN_MEMORY = 8 << 20
_THREADS = 8
_BATCH = 256
# Traces are small and name no blob; without them results cannot be found from a fresh checkout.
_TRACE_WINDOWS = 4
# However little room there is, what a build of today made is not taken from under it.
_SPARED_SECONDS = 86400.0
In = TypeVar("In")
Out = TypeVar("Out")


class Report(msgspec.Struct, frozen=True):
    """What a collection removed (or would, with dry_run), out of what there was; sizes in bytes."""

    blobs: int = 0
    bytes: int = 0
    blobs_removed: int = 0
    bytes_removed: int = 0
    results: int = 0
    results_removed: int = 0
    revisions: int = 0
    revisions_removed: int = 0
    local_blobs_removed: int = 0
    local_bytes_removed: int = 0
    dry_run: bool = False


class Findings(msgspec.Struct, frozen=True):
    """What a verification found.

    corrupt: blobs that do not hash to their name (no store keeps one that was found). missing: `path: hash` of
    outputs that a current manifest names and nobody has. dangling: keys of results that name a missing blob.
    """

    blobs: int = 0
    bytes: int = 0
    corrupt: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    dangling: tuple[str, ...] = ()
    repaired: bool = False

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.corrupt or self.missing or self.dangling)


class Stats(msgspec.Struct, frozen=True):
    """How much is stored; sizes in bytes, ages in seconds."""

    blobs: int = 0
    bytes: int = 0
    oldest: float = 0.0
    results: int = 0
    branches: int = 0
    revisions: int = 0
    local_blobs: int = 0
    local_bytes: int = 0


class _Known(msgspec.Struct, frozen=True):
    """A record under `results/`: how old it is, and the blobs it names (None: traces, or unreadable)."""

    name: str
    age: float
    blobs: tuple[str, ...] | None
    traces: bool = False


def collect(stores: Stores, *, keep_revisions: int, window: float, max_bytes: int, dry_run: bool = False) -> Report:
    """Remove what no kept revision names and nobody used within the window (seconds).

    Kept are the newest `keep_revisions` of each branch, the current one, and those younger than the window.
    max_bytes bounds what is on this machine, oldest use first: results go before the blobs they name, and what
    a kept revision names never goes from the only store there is. CorruptRecord when a manifest cannot be read:
    then nothing is removed.
    """
    # Records first, blobs after: a blob that a listed record names was there before the record.
    kept, dropped = _revisions(stores.refs, keep_revisions, window)
    rooted = set().union(*_parallel(lambda name: _named_by(stores.refs, name), kept))
    known = list(_known_results(stores.refs))
    blobs = {info.hash: info for info in stores.far.blobs()}
    live = {one.name for one in known if _is_live(one, blobs, window)}
    needed = rooted.union(*(one.blobs or () for one in known if one.name in live))
    doomed = [info for info in blobs.values() if info.hash not in needed and info.age > window]
    if not stores.remote:
        doomed += _over(max_bytes, blobs, {info.hash for info in doomed} | rooted, doomed, window)
    gone = {info.hash for info in doomed}
    dead = [one.name for one in known if one.name not in live or gone.intersection(one.blobs or ())]
    excess = _local_excess(stores, max_bytes) if stores.remote else []
    if not dry_run:
        _parallel_done(stores.refs.delete, [*dropped, *dead])
        _parallel_done(stores.blobs.delete, [info.hash for info in doomed])
        _trim_local(stores, excess, window)
    return Report(
        blobs=len(blobs),
        bytes=sum(info.size for info in blobs.values()),
        blobs_removed=len(doomed),
        bytes_removed=sum(info.size for info in doomed),
        results=len(known),
        results_removed=len(dead),
        revisions=len(kept) + len(dropped),
        revisions_removed=len(dropped),
        local_blobs_removed=len(excess),
        local_bytes_removed=sum(info.size for info in excess),
        dry_run=dry_run,
    )


def verify(stores: Stores, *, repair: bool = False) -> Findings:
    """Hash every blob again and look for what current manifests and results name.

    repair: results that name a missing blob are removed, so that the next build makes it again.
    """
    infos = list(stores.far.blobs())
    with tempfile.TemporaryDirectory(prefix="windrow-verify-") as folder:
        corrupt = _corrupt(stores.far, infos, Path(folder))
        if stores.remote:
            corrupt |= _corrupt(stores.local, list(stores.local.blobs()), Path(folder))
    there = {info.hash for info in infos} - corrupt
    missing = [
        f"{path}: {artefact.hash}"
        for name in _current_manifests(stores.refs)
        for path, artefact in sorted(_manifest(stores.refs, name).artefacts.items())
        if artefact.hash not in there and stores.far.find_missing([artefact.hash])
    ]
    dangling = [
        one.name
        for one in _known_results(stores.refs)
        if not one.traces and (one.blobs is None or (set(one.blobs) - there and stores.far.find_missing(one.blobs)))
    ]
    if repair:
        _parallel_done(stores.refs.delete, dangling)
    keys = tuple(sorted(hashing.PREFIX + name.rpartition("/")[2] for name in dangling))
    return Findings(len(infos), sum(i.size for i in infos), tuple(sorted(corrupt)), tuple(missing), keys, repair)


def stats(stores: Stores) -> Stats:
    """Count what is stored."""
    blobs = list(stores.far.blobs())
    local = list(stores.local.blobs()) if stores.remote else blobs
    manifests = [name for name in stores.refs.names(_PROJECTS) if _MANIFESTS in name]
    return Stats(
        blobs=len(blobs),
        bytes=sum(info.size for info in blobs),
        oldest=max((info.age for info in blobs), default=0.0),
        results=len(stores.refs.names(_RESULTS)),
        branches=len({name.rpartition(_MANIFESTS)[0] for name in manifests}),
        revisions=len(manifests),
        local_blobs=len(local),
        local_bytes=sum(info.size for info in local),
    )


def _revisions(refs: AgedRefs, keep: int, window: float) -> tuple[list[str], list[str]]:
    """Manifests to keep and to drop, of every branch of every project."""
    branches: dict[str, list[tuple[str, float]]] = {}
    for name, age in refs.ages(_PROJECTS):
        if _MANIFESTS in name:
            branches.setdefault(name.rpartition(_MANIFESTS)[0], []).append((name, age))
    kept, dropped = [], []
    for branch, found in branches.items():
        current = _current_of(refs, branch)
        # By length first: rev-10000 comes after rev-9999.
        newest = sorted(found, key=lambda one: (len(one[0]), one[0]), reverse=True)
        for place, (name, age) in enumerate(newest):
            needed = place < max(1, keep) or age <= window or name == current
            (kept if needed else dropped).append(name)
    return kept, dropped


def _current_manifests(refs: AgedRefs) -> list[str]:
    names = refs.names(_PROJECTS)
    branches = sorted({name.rpartition(_MANIFESTS)[0] for name in names if _MANIFESTS in name})
    return [name for name in (_current_of(refs, branch) for branch in branches) if name]


def _current_of(refs: AgedRefs, branch: str) -> str:
    """The name of a branch's current manifest; empty when nothing was committed."""
    record = refs.read(f"{branch}/current.json")
    if record is None:
        return ""
    try:
        pointer = msgspec.json.decode(record.data, type=Pointer)
    except msgspec.DecodeError as error:
        raise _unreadable(f"{branch}/current.json") from error
    if pointer.schema != POINTER_SCHEMA:
        raise _newer(f"{branch}/current.json", pointer.schema)
    return f"{branch}{_MANIFESTS}rev-{pointer.revision:04d}.json"


def _manifest(refs: AgedRefs, name: str) -> Manifest:
    record = refs.read(name)
    if record is None:
        raise CorruptRecord(f"{name} is not in the store, and the pointer of its branch names it", at=name)
    try:
        manifest = msgspec.json.decode(record.data, type=Manifest)
    except msgspec.DecodeError as error:
        raise _unreadable(name) from error
    if manifest.schema != MANIFEST_SCHEMA:
        raise _newer(name, manifest.schema)
    return manifest


def _named_by(refs: AgedRefs, name: str) -> set[str]:
    manifest = _manifest(refs, name)
    return {entry.hash for entry in (*manifest.artefacts.values(), *manifest.sources.values())}


def _known_results(refs: AgedRefs) -> Iterator[_Known]:
    def read(entry: tuple[str, float]) -> _Known | None:
        name, age = entry
        record = refs.read(name)
        if record is None:
            return None
        result = decode_result(record.data, hashing.PREFIX + name.rpartition("/")[2])
        if result is not None:
            return _Known(name, age, tuple(blobs_of(result)))
        return _Known(name, age, None, traces=bool(decode_traces(record.data)))

    return (one for one in _parallel(read, refs.ages(_RESULTS)) if one is not None)


def _is_live(one: _Known, blobs: dict[str, BlobInfo], window: float) -> bool:
    if one.blobs is None:
        return one.traces and one.age <= window * _TRACE_WINDOWS
    if any(hash_ not in blobs for hash_ in one.blobs):
        return False
    # Each use of a result is noted on its blobs; the record itself stays as it was written.
    used = max((blobs[hash_].age for hash_ in one.blobs), default=one.age)
    return min(used, one.age) <= window


def _over(
    max_bytes: int, blobs: dict[str, BlobInfo], spared: set[str], going: Iterable[BlobInfo], window: float
) -> list[BlobInfo]:
    """What must go besides, least recently used first, until the rest fits."""
    excess = sum(info.size for info in blobs.values()) - sum(info.size for info in going) - max_bytes
    chosen = []
    for info in sorted(blobs.values(), key=lambda one: -one.age):
        if excess <= 0 or info.age <= min(window, _SPARED_SECONDS):
            break
        if info.hash not in spared:
            chosen.append(info)
            excess -= info.size
    return chosen


def _local_excess(stores: Stores, max_bytes: int) -> list[BlobInfo]:
    local = {info.hash: info for info in stores.local.blobs()}
    return _over(max_bytes, local, set(), (), 0.0)


def _trim_local(stores: Stores, excess: list[BlobInfo], window: float) -> None:
    for info in excess:
        stores.local.delete(info.hash)
    if stores.remote:
        # Older than half a window they do not answer any more.
        for name, age in list(stores.local_refs.ages(_RESULTS)):
            if age > window:
                stores.local_refs.delete(name)


def _corrupt(store: BlobStore, infos: list[BlobInfo], folder: Path) -> set[str]:
    def is_corrupt(info: BlobInfo) -> bool:
        try:
            if info.size <= _IN_MEMORY:
                store.get(info.hash)
            else:
                copy = folder / hashing.bare(info.hash)
                store.fetch(info.hash, copy)
                copy.unlink()
        except BlobCorrupt:
            return True
        except BlobMissing:
            # Collected or deleted since it was listed.
            return False
        return False

    return {info.hash for info, wrong in zip(infos, _parallel(is_corrupt, infos), strict=True) if wrong}


def _parallel(call: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    rest = iter(items)
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch := list(islice(rest, _BATCH)):
            yield from pool.map(call, batch)


def _parallel_done(call: Callable[[In], None], items: Iterable[In]) -> None:
    for _ in _parallel(call, items):
        pass


def _unreadable(name: str) -> CorruptRecord:
    return CorruptRecord(f"{name} cannot be read", at=name, fix="windrow cache verify")


def _newer(name: str, schema: str) -> SchemaUnknown:
    return SchemaUnknown(f"{name} was written by a newer Windrow", at=name, why=f"its schema is {schema}")
