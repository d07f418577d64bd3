"""FlakyStore: stores whose n-th call fails, before or after it had its effect, once or from then on."""

from __future__ import annotations

import functools
import threading
from typing import Any

import msgspec

from shared.errors import StoreUnavailable
from shared.storage.compose import Stores
from shared.storage.stored_results import StoredResults


class Trouble:
    """When calls fail. fail_at: the first that does (from 1; 0: none); lasting: so do all later ones.

    after_effect: the call is made, and only its reply lost. `calls` counts them all, `failed` those that failed.
    """

    def __init__(self, fail_at: int = 0, *, lasting: bool = False, after_effect: bool = False) -> None:
        self.fail_at, self.lasting, self.after_effect = fail_at, lasting, after_effect
        self.calls = self.failed = 0
        self._lock = threading.Lock()

    def strikes(self) -> bool:
        """Whether the call that is made now fails."""
        with self._lock:
            self.calls += 1
            struck = self.calls == self.fail_at or (self.lasting and 0 < self.fail_at < self.calls)
            self.failed += struck
            return struck


class FlakyStore:
    """Any store, whose public methods fail as the trouble has it."""

    def __init__(self, inner: Any, trouble: Trouble) -> None:
        self._inner, self._trouble = inner, trouble

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name.startswith("_") or not callable(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            struck = self._trouble.strikes()
            answer = None if struck and not self._trouble.after_effect else found(*args, **kwargs)
            if struck:
                raise StoreUnavailable(f"call {self._trouble.calls} of the store, {name}, failed", at="flaky store")
            return answer

        return call


def flaky(stores: Stores, trouble: Trouble) -> Stores:
    """Embedded stores, every call to which may fail."""
    blobs: Any = FlakyStore(stores.blobs, trouble)
    refs: Any = FlakyStore(stores.refs, trouble)
    return msgspec.structs.replace(
        stores, blobs=blobs, far=blobs, refs=refs, results=StoredResults(refs, blobs, "local")
    )
