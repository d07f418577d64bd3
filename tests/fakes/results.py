"""DictResults: action results and traces in dicts, complete or not at all."""

from __future__ import annotations

import threading

from shared.model.action import ActionResult, Trace
from shared.storage.blobs import BlobStore
from shared.storage.results import Hit


class DictResults:
    """A Results for tests."""

    def __init__(self, blobs: BlobStore) -> None:
        self.stored: dict[str, ActionResult] = {}
        self.known: dict[str, tuple[Trace, ...]] = {}
        self._blobs = blobs
        self._lock = threading.Lock()

    def get(self, key: str, *, whole: bool = True) -> Hit | None:
        """See Results."""
        result = self.stored.get(key)
        if result is None:
            return None
        named = [*(o.hash for o in result.outputs if o.mode != "link"), result.stdout.hash, result.stderr.hash]
        return None if self._blobs.find_missing(hash_ for hash_ in named if hash_) else Hit(result, "local")

    def put(self, result: ActionResult, *, replace: bool = False) -> None:
        """See Results."""
        with self._lock:
            if replace or result.key not in self.stored:
                self.stored[result.key] = result

    def traces(self, key: str) -> tuple[Trace, ...]:
        """See Results."""
        return self.known.get(key, ())

    def add_trace(self, key: str, trace: Trace) -> None:
        """See Results."""
        with self._lock:
            others = [other for other in self.known.get(key, ()) if other != trace]
            self.known[key] = (trace, *others)[:8]
