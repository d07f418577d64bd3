"""Collection of what nobody needs any more, verification of what is there, and the figures of both."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from shared import hashing
from shared.errors import BlobCorrupt, BlobMissing, CorruptRecord, SchemaUnknown
from shared.storage import run_records
from shared.storage.blobs import BlobInfo, BlobStore
from shared.storage.compose import Stores
from shared.storage.figures import KindStats, ProjectStats, by_project_and_kind
from shared.storage.marking import (
    MANIFESTS,
    PROJECTS,
    RESULTS,
    Holding,
    Known,
    branches,
    current_files,
    each_done,
    holding,
    in_parallel,
    known_results,
    revisions,
)
from shared.storage.trees import Spent, spent

_IN_MEMORY = 8 << 20
# Traces (and records of a newer Windrow) name no blob we know; without them results cannot be found.
_TRACE_WINDOWS = 4
# However little room there is, what a build of today made is not taken from under it.
_SPARED_SECONDS = 86400.0


class Report(msgspec.Struct, frozen=True):
    """What a collection removed (or would, with dry_run), out of what there was; sizes in bytes.

    trees_removed: records of ingested states that no kept revision holds. runs_removed: records of builds.
    """

    blobs: int = 0
    bytes: int = 0
    blobs_removed: int = 0
    bytes_removed: int = 0
    results: int = 0
    results_removed: int = 0
    revisions: int = 0
    revisions_removed: int = 0
    trees_removed: int = 0
    runs_removed: int = 0
    local_blobs_removed: int = 0
    local_bytes_removed: int = 0
    dry_run: bool = False


class Findings(msgspec.Struct, frozen=True):
    """What a verification found.

    corrupt: blobs that do not hash to their name (no store keeps one that was found). missing: `path: hash` of
    outputs that a current manifest names and nobody has. dangling: keys of results that are damaged or name a missing
    blob. unreadable: pointers and manifests that are damaged, or not those the pointer means.
    """

    blobs: int = 0
    bytes: int = 0
    corrupt: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    dangling: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    repaired: bool = False

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.corrupt or self.missing or self.dangling or self.unreadable)


class Stats(msgspec.Struct, frozen=True):
    """How much is stored; sizes in bytes, ages in seconds. hit_rate: of all jobs of kept builds, 0 without any."""

    blobs: int = 0
    bytes: int = 0
    oldest: float = 0.0
    results: int = 0
    branches: int = 0
    revisions: int = 0
    local_blobs: int = 0
    local_bytes: int = 0
    hits: int = 0
    misses: int = 0
    hit_rate: float = 0.0
    by_project: dict[str, ProjectStats] = {}
    by_kind: dict[str, KindStats] = {}


def collect(stores: Stores, *, keep_revisions: int, window: float, max_bytes: int, dry_run: bool = False) -> Report:
    """Remove what no kept revision names and nobody used within the window (seconds).

    Kept are the newest `keep_revisions` of each branch, the current one, and those younger than the window; and the
    records of their builds, with those of the last builds that failed.
    max_bytes bounds what is on this machine, oldest use first: results go before the blobs they name, and what
    a kept revision names never goes from the only store there is. CorruptRecord when a manifest cannot be read:
    then nothing is removed.
    """
    # Records first, blobs after: a blob that a listed record names was there before the record.
    names = list(stores.refs.ages(PROJECTS))
    kept, dropped = revisions(stores.refs, names, keep_revisions, window)
    held = list(in_parallel(lambda name: holding(stores.refs, name), kept))
    rooted: set[str] = set().union(*(one.blobs for one in held))
    trees = _spent_trees(stores, names, held, window)
    runs = run_records.spent(names, kept, window)
    known = list(known_results(stores.refs))
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
        each_done(lambda name: stores.refs.write(name, trees.anew[name]), trees.anew)
        each_done(stores.refs.delete, [*trees.gone, *runs, *dropped, *dead])
        doomed = _unused_since(stores.far, doomed)
        each_done(stores.blobs.delete, [info.hash for info in doomed])
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
        trees_removed=len(trees.gone),
        runs_removed=len(runs),
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
    missing, unreadable = _missing(stores, there)
    dangling = [
        one.name
        for one in known_results(stores.refs)
        if not one.whole or (set(one.blobs or ()) - there and stores.far.find_missing(one.blobs or ()))
    ]
    if repair:
        each_done(stores.refs.delete, dangling)
    keys = tuple(sorted(hashing.PREFIX + name.rpartition("/")[2] for name in dangling))
    return Findings(
        blobs=len(infos),
        bytes=sum(info.size for info in infos),
        corrupt=tuple(sorted(corrupt)),
        missing=tuple(missing),
        dangling=keys,
        unreadable=tuple(unreadable),
        repaired=repair,
    )


def stats(stores: Stores) -> Stats:
    """Count what is stored."""
    blobs = list(stores.far.blobs())
    local = list(stores.local.blobs()) if stores.remote else blobs
    names = list(stores.refs.names(PROJECTS))
    manifests = [name for name in names if MANIFESTS in name]
    projects, kinds = by_project_and_kind(stores.refs, names)
    hits, misses = (sum(getattr(one, what) for one in projects.values()) for what in ("hits", "misses"))
    return Stats(
        blobs=len(blobs),
        bytes=sum(info.size for info in blobs),
        oldest=max((info.age for info in blobs), default=0.0),
        results=len(stores.refs.names(RESULTS)),
        branches=len(branches(manifests)),
        revisions=len(manifests),
        local_blobs=len(local),
        local_bytes=sum(info.size for info in local),
        hits=hits,
        misses=misses,
        hit_rate=round(hits / (hits + misses), 4) if hits + misses else 0.0,
        by_project=projects,
        by_kind=kinds,
    )


def _spent_trees(stores: Stores, names: Iterable[tuple[str, float]], kept: Iterable[Holding], window: float) -> Spent:
    held: dict[str, set[int]] = {}
    for one in kept:
        held.setdefault(one.tree, set()).add(one.revision)
    return spent(stores.refs, names, held, window)


def _missing(stores: Stores, there: set[str]) -> tuple[list[str], list[str]]:
    """Outputs and ingested files of current manifests that nobody has, and the records that cannot tell."""
    missing, unreadable = [], []
    for branch in branches(stores.refs.names(PROJECTS)):
        try:
            files = current_files(stores.refs, branch)
        except (CorruptRecord, SchemaUnknown) as error:
            unreadable.append(str(error))
            continue
        named = {path: hash_ for path, hash_ in files.items() if hash_ not in there}
        lost = stores.far.find_missing(set(named.values()))
        missing += [f"{path}: {hash_}" for path, hash_ in sorted(named.items()) if hash_ in lost]
    return missing, unreadable


def _is_live(one: Known, blobs: dict[str, BlobInfo], window: float) -> bool:
    if one.blobs is None:
        return one.whole and one.age <= window * _TRACE_WINDOWS
    if any(hash_ not in blobs for hash_ in one.blobs):
        return False
    # Each use of a result is noted on its blobs; the record itself stays as it was written.
    used = max((blobs[hash_].age for hash_ in one.blobs), default=one.age)
    return min(used, one.age) <= window


def _unused_since(blobs: BlobStore, doomed: list[BlobInfo]) -> list[BlobInfo]:
    """Those that nobody used since they were listed: a build that runs may have found one that was old until then."""
    if not doomed:
        return doomed
    ages = {info.hash: info.age for info in blobs.blobs()}
    return [info for info in doomed if ages.get(info.hash, 0.0) >= info.age]


def _over(
    max_bytes: int, blobs: dict[str, BlobInfo], spared: set[str], going: Iterable[BlobInfo], window: float
) -> list[BlobInfo]:
    """What must go besides, least recently used first, until the rest fits."""
    excess = sum(info.size for info in blobs.values()) - sum(info.size for info in going) - max_bytes
    chosen = []
    for info in sorted(blobs.values(), key=lambda one: -one.age):
        if excess <= 0 or info.age < min(window, _SPARED_SECONDS):
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
        for name, age in list(stores.local_refs.ages(RESULTS)):
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

    return {info.hash for info, wrong in zip(infos, in_parallel(is_corrupt, infos), strict=True) if wrong}
