"""Records in a bucket whose server is tried before its conditional writes are relied on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from shared.errors import FarmError
from shared.storage.ages import AgedRefs
from shared.storage.refs import Record

_SWAPPED = "current.json"
_RESULTS = "results/"


class ProbedRefs:
    """RefStore: `bucket` where it honours conditional writes, else `fallback` (None: there is none).

    honours(probe) tells whether it does: None when that is not known and probe is False. The question is put to
    the server at the first write that depends on the answer, so reading stays as cheap as it is.
    """

    def __init__(
        self,
        bucket: AgedRefs,
        *,
        fallback: Callable[[], AgedRefs] | None,
        honours: Callable[[bool], bool | None],
        label: str,
    ) -> None:
        self._bucket, self._fallback, self._honours, self._label = bucket, fallback, honours, label
        self._made: AgedRefs | None = None
        self._lock = threading.Lock()

    def describe(self) -> str:
        """What makes a swap atomic, for people; asks nobody."""
        honoured = self._honours(False)
        if honoured is None:
            return "not probed yet"
        if honoured:
            return "conditional writes of the bucket"
        return "compare-and-set in Redis" if self._fallback else "none: the bucket ignores conditional writes"

    def read(self, name: str) -> Record | None:
        """See RefStore."""
        return self._chosen(probe=False).read(name)

    def create(self, name: str, data: bytes) -> str | None:
        """See RefStore."""
        return self._chosen(probe=not name.startswith(_RESULTS)).create(name, data)

    def swap(self, name: str, data: bytes, expected: str | None, *, fence: int = 0) -> str:
        """See RefStore."""
        return self._chosen(probe=True).swap(name, data, expected, fence=fence)

    def write(self, name: str, data: bytes) -> None:
        """See RefStore."""
        self._chosen(probe=name.endswith(_SWAPPED)).write(name, data)

    def names(self, prefix: str) -> list[str]:
        """See RefStore."""
        return self._bucket.names(prefix)

    def delete(self, name: str) -> None:
        """See RefStore."""
        self._chosen(probe=name.endswith(_SWAPPED)).delete(name)

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """See AgedRefs."""
        return self._bucket.ages(prefix)

    def _chosen(self, *, probe: bool) -> AgedRefs:
        honoured = self._honours(probe)
        if honoured or (honoured is None and not probe):
            return self._bucket
        if self._fallback is None:
            if not probe:
                return self._bucket
            raise FarmError(
                f"{self._label} ignores conditional writes",
                at=self._label,
                why="two builds that commit at once would both believe they had",
                fix="set broker in [farm], which then keeps the pointer, or use a server that honours If-Match",
            )
        with self._lock:
            if self._made is None:
                self._made = self._fallback()
            return self._made
