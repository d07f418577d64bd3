"""What the records of a store name: revisions kept and dropped, their blobs, the blobs of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import msgspec

from shared import hashing
from shared.errors import CorruptRecord, SchemaUnknown
from shared.model import stored_manifest
from shared.model.action import RESULT_SCHEMA, TRACES_SCHEMA
from shared.model.manifest import MANIFEST_SCHEMA, POINTER_SCHEMA, Manifest, Pointer, revision_name
from shared.storage.ages import AgedRefs
from shared.storage.stored_results import blobs_of, decode_result
from shared.storage.trees import TREES, tree_hash

PROJECTS, RESULTS, MANIFESTS = "projects/", "results/", "/manifests/"
_THREADS = 8
_BATCH = 256
In = TypeVar("In")
Out = TypeVar("Out")


class Known(msgspec.Struct, frozen=True):
    """A record under `results/`: how old it is, and the blobs it names (None: it is no result we can read).

    whole: it is a record of some schema; false when it is damaged.
    """

    name: str
    age: float
    blobs: tuple[str, ...] | None
    whole: bool = True


class Holding(msgspec.Struct, frozen=True):
    """What a revision keeps: the blobs it names, and the record of its ingested state, empty when it has none."""

    blobs: frozenset[str]
    tree: str
    revision: int


class _Header(msgspec.Struct, frozen=True):
    schema: str


def revisions(
    refs: AgedRefs, names: Iterable[tuple[str, float]], keep: int, window: float
) -> tuple[list[str], list[str]]:
    """Manifests to keep and to drop among these names with their ages, of every branch of every project."""
    by_branch: dict[str, list[tuple[str, float]]] = {}
    for name, age in names:
        if MANIFESTS in name:
            by_branch.setdefault(name.rpartition(MANIFESTS)[0], []).append((name, age))
    kept: list[str] = []
    dropped: list[str] = []
    for branch, found in by_branch.items():
        pointer = _pointer(refs, branch)
        current = _manifest_name(branch, pointer) if pointer else ""
        # By length first: rev-10000 comes after rev-9999.
        newest = sorted(found, key=lambda one: (len(one[0]), one[0]), reverse=True)
        for place, (name, age) in enumerate(newest):
            needed = place < max(1, keep) or age <= window or name == current
            (kept if needed else dropped).append(name)
    return kept, dropped


def branches(names: Iterable[str]) -> list[str]:
    """`projects/<project>/<branch>` of every branch that has a manifest among these names, sorted."""
    return sorted({name.rpartition(MANIFESTS)[0] for name in names if MANIFESTS in name})


def current_files(refs: AgedRefs, branch: str) -> dict[str, str]:
    """Outputs and ingested files of a branch's current revision, with the blob of each.

    CorruptRecord unless it is the revision that the pointer means.
    """
    manifest = current_revision(refs, branch)
    if manifest is None:
        return {}
    ingested = {path: state.hash for path, state in manifest.ingested.items()}
    return {**ingested, **{path: artefact.hash for path, artefact in manifest.artefacts.items()}}


def current_revision(refs: AgedRefs, branch: str) -> Manifest | None:
    """A branch's current revision, None before the first; errors as current_files."""
    pointer = _pointer(refs, branch)
    if pointer is None:
        return None
    name = _manifest_name(branch, pointer)
    record = refs.read(name)
    if record is not None and hashing.of_bytes(record.data) != pointer.manifest_hash:
        raise CorruptRecord(f"{name} is not the manifest that the pointer of its branch means", at=name)
    return read_manifest(refs, name)


def _pointer(refs: AgedRefs, branch: str) -> Pointer | None:
    record = refs.read(f"{branch}/current.json")
    if record is None:
        return None
    try:
        pointer = msgspec.json.decode(record.data, type=Pointer)
    except msgspec.DecodeError as error:
        raise _unreadable(f"{branch}/current.json") from error
    if pointer.schema != POINTER_SCHEMA:
        raise _newer(f"{branch}/current.json", pointer.schema)
    return pointer


def _manifest_name(branch: str, pointer: Pointer) -> str:
    return f"{branch}{MANIFESTS}{revision_name(pointer.revision)}.json"


def read_manifest(refs: AgedRefs, name: str) -> Manifest:
    """A manifest; CorruptRecord when it is damaged or not there, SchemaUnknown when it is too new."""
    record = refs.read(name)
    if record is None:
        raise CorruptRecord(f"{name} is not in the store", at=name, fix="windrow cache verify")
    try:
        manifest = stored_manifest.decode(record.data)
    except msgspec.DecodeError as error:
        raise _unreadable(name) from error
    if manifest.schema != MANIFEST_SCHEMA:
        raise _newer(name, manifest.schema)
    return manifest


def holding(refs: AgedRefs, name: str) -> Holding:
    """What a manifest holds on to; errors as read_manifest."""
    manifest = read_manifest(refs, name)
    states = (*manifest.sources.values(), *manifest.ingested.values())
    blobs = {made.hash for made in manifest.artefacts.values()} | {state.hash for state in states}
    branch = name.rpartition(MANIFESTS)[0]
    tree = f"{branch}{TREES}{tree_hash(manifest.ingested)}.json" if manifest.ingested else ""
    return Holding(frozenset(blobs), tree, manifest.revision)


def known_results(refs: AgedRefs) -> Iterator[Known]:
    """Every record under `results/`, in no order."""

    def read(entry: tuple[str, float]) -> Known | None:
        name, age = entry
        record = refs.read(name)
        if record is None:
            return None
        result = decode_result(record.data, hashing.PREFIX + name.rpartition("/")[2])
        if result is not None:
            return Known(name, age, tuple(blobs_of(result)))
        return Known(name, age, None, whole=_is_whole(record.data))

    return (one for one in in_parallel(read, refs.ages(RESULTS)) if one is not None)


def in_parallel(call: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Results of a call for each item, in their order."""
    rest = iter(items)
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch := list(islice(rest, _BATCH)):
            yield from pool.map(call, batch)


def each_done(call: Callable[[In], None], items: Iterable[In]) -> None:
    """Make a call for each item."""
    for _ in in_parallel(call, items):
        pass


def _is_whole(data: bytes) -> bool:
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
    except msgspec.DecodeError:
        return False
    # A newer Windrow's record is not ours to judge; one of a schema we know was not readable as such.
    return schema == TRACES_SCHEMA or (schema.startswith("windrow.") and schema != RESULT_SCHEMA)


def _unreadable(name: str) -> CorruptRecord:
    return CorruptRecord(f"{name} cannot be read", at=name, fix="windrow cache verify")


def _newer(name: str, schema: str) -> SchemaUnknown:
    return SchemaUnknown(f"{name} was written by a newer Windrow", at=name, why=f"its schema is {schema}")
