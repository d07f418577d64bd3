"""Builds the stack of stores that the settings describe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from shared import hashing
from shared.clock import Clock, SystemClock
from shared.errors import ConfigError
from shared.settings import Settings
from shared.storage.ages import AgedRefs
from shared.storage.blobs import BlobStore
from shared.storage.caching import CachingBlobs
from shared.storage.disk import DiskBlobs
from shared.storage.disk_refs import DiskRefs
from shared.storage.remembered import Remembered
from shared.storage.results import Results
from shared.storage.stored_results import StoredResults, TieredResults

if TYPE_CHECKING:
    from shared.storage.probed_refs import ProbedRefs
    from shared.storage.s3_client import Bucket

STORE = "store"


def _nothing() -> None:
    pass


class Stores(msgspec.Struct, frozen=True):
    """Everything a build reads and writes.

    blobs, refs, results: what to use. far: the blobs that count, without the cache in front (with no remote
    store, the local ones). local, local_refs: what is on this machine. swaps: see `conditional`.
    kept: results where all find them and only there, for a worker: nobody looks for one on its machine.
    warm: loads what pointers are written with, for a bucket a third of a second; may raise what a write would.
    """

    blobs: BlobStore
    refs: AgedRefs
    results: Results
    kept: Results
    far: BlobStore
    local: DiskBlobs
    local_refs: DiskRefs
    remote: bool
    swaps: Callable[[], str]
    warm: Callable[[], object] = _nothing

    def take(self, hash_: str, data: bytes) -> None:
        """Take bytes that somebody else has just put where they count; BlobCorrupt when they are others."""
        if isinstance(self.blobs, CachingBlobs):
            self.blobs.take(hash_, data)

    def believe(self, hashes: Iterable[str]) -> None:
        """Take blobs for present that somebody else has just put where they count."""
        if isinstance(self.blobs, CachingBlobs):
            self.blobs.believe(hashes)

    def warm_up(self) -> None:
        """Load meanwhile what pointers are written with."""

        def load() -> None:
            with suppress(Exception):  # whoever writes one comes by it again, and tells it
                self.warm()

        threading.Thread(target=load, name="windrow-stores", daemon=True).start()

    @property
    def conditional(self) -> str:
        """What makes a swap atomic, in words."""
        return self.swaps()

    @property
    def bytes_up(self) -> int:
        """Bytes sent to the remote store so far by this process."""
        return self.blobs.bytes_up if isinstance(self.blobs, CachingBlobs) else 0

    @property
    def bytes_down(self) -> int:
        """Bytes fetched from the remote store so far by this process."""
        return self.blobs.bytes_down if isinstance(self.blobs, CachingBlobs) else 0


def open_stores(settings: Settings, *, clock: Clock | None = None) -> Stores:
    """The stores of `[storage]`; nothing is contacted or written yet. ConfigError for an address that is none."""
    clock = clock or SystemClock()
    root, url = settings.cache_dir / STORE, settings.storage.url
    local = DiskBlobs(root, clock=clock, window=settings.cache_window)
    scheme = urlsplit(url).scheme
    if not url:
        refs = DiskRefs(root, clock=clock)
        results = StoredResults(refs, local, "local")
        return Stores(local, refs, results, results, local, local, refs, remote=False, swaps=_by_file_lock)
    if scheme == "file":
        folder = _folder(url)
        far = DiskBlobs(folder, afar=True, clock=clock, window=settings.cache_window)
        return _tiers(settings, local, far, DiskRefs(folder, clock=clock), _by_file_lock, clock)
    if scheme == "s3":
        return _bucket(settings, local, clock)
    raise ConfigError(
        f"{url!r} is not an address of a store", at="[storage]", fix='write "s3://bucket/prefix" or "file:///path"'
    )


def _tiers(
    settings: Settings, local: DiskBlobs, far: BlobStore, refs: AgedRefs, swaps: Callable[[], str], clock: Clock
) -> Stores:
    blobs = CachingBlobs(far, local, clock=clock)
    # Results are known per store: what one store has completely another may lack.
    place = hashing.of_value([settings.storage.url, settings.storage.endpoint])
    local_refs = DiskRefs(settings.cache_dir / "known" / hashing.bare(place)[:16], clock=clock)
    kept = StoredResults(refs, blobs, "remote")
    results = TieredResults(
        StoredResults(local_refs, local, "local"),
        kept,
        confirmed=local_refs.age,
        lease=settings.cache_window / 2,
    )
    return Stores(blobs, refs, results, kept, far, local, local_refs, remote=True, swaps=swaps)


def _bucket(settings: Settings, local: DiskBlobs, clock: Clock) -> Stores:
    # Only with a bucket: an embedded build pays for neither client.
    from shared.storage.s3 import S3Blobs  # noqa: PLC0415
    from shared.storage.s3_client import Bucket  # noqa: PLC0415

    storage = settings.storage
    memory = Remembered(
        settings.cache_dir / "buckets.json", f"{storage.endpoint} {urlsplit(storage.url).netloc}", clock
    )
    bucket = Bucket(
        storage.url,
        endpoint=storage.endpoint,
        region=storage.region,
        keys=settings.root / Path(storage.credentials_file).expanduser() if storage.credentials_file else None,
        checksum=memory.get("checksum") is True,
        patience=settings.store_patience,
    )
    refs = _bucket_refs(settings, bucket, memory, clock)
    stores = _tiers(
        settings, local, S3Blobs(bucket, window=settings.cache_window, clock=clock), refs, refs.describe, clock
    )
    return msgspec.structs.replace(stores, warm=lambda: bucket.client)


def _bucket_refs(settings: Settings, bucket: Bucket, memory: Remembered, clock: Clock) -> ProbedRefs:
    from shared.storage.probed_refs import ProbedRefs  # noqa: PLC0415
    from shared.storage.s3_refs import S3Refs  # noqa: PLC0415

    inner, broker = S3Refs(bucket, clock=clock), settings.farm.broker

    def honours(probe: bool) -> bool | None:  # noqa: FBT001 - the one thing it is asked
        known = memory.get("conditional")
        if known is not None or not probe:
            return known
        from shared.storage.s3_probe import probe as try_it  # noqa: PLC0415

        found = try_it(bucket)
        memory.keep(conditional=found.conditional, checksum=found.checksum)
        return found.conditional

    def fallback() -> AgedRefs:
        from shared.storage.redis_refs import RedisRefs  # noqa: PLC0415

        space = hashing.bare(hashing.of_value([bucket.endpoint, bucket.name, bucket.prefix]))[:16]
        return RedisRefs(broker, inner, space=space, clock=clock, patience=settings.store_patience)

    return ProbedRefs(inner, fallback=fallback if broker else None, honours=honours, label=bucket.label)


def _folder(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute() or path == Path("/"):
        raise ConfigError(
            f"{url!r} is not the address of a folder", at="[storage]", fix='write "file:///path/of/store"'
        )
    return path


def _by_file_lock() -> str:
    return "file locks"
