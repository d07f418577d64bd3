"""Action results and traces as records beside the blobs they name, and two tiers of them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shared import canonical, hashing
from shared.model.action import RESULT_SCHEMA, TRACES_SCHEMA, ActionResult, Trace, Traces
from shared.storage.blobs import BlobStore
from shared.storage.names import result_name
from shared.storage.refs import RefStore
from shared.storage.results import Hit, Source

KEPT_TRACES = 8
_RESULT = msgspec.json.Decoder(ActionResult)
_TRACES = msgspec.json.Decoder(Traces)


class StoredResults:
    """Results in a RefStore; the blobs that they name are looked for in a BlobStore."""

    def __init__(self, refs: RefStore, blobs: BlobStore, source: Source) -> None:
        self._refs, self._blobs, self._source = refs, blobs, source

    def get(self, key: str, *, whole: bool = True) -> Hit | None:
        """See Results."""
        record = self._refs.read(result_name(key))
        result = decode_result(record.data, key) if record else None
        if result is None:
            return None
        if not whole and self._source == "remote":
            return Hit(result, self._source)
        hashes = blobs_of(result)
        if self._blobs.find_missing(hashes):
            return None
        self._blobs.touch(hashes)
        return Hit(result, self._source)

    def put(self, result: ActionResult, *, replace: bool = False) -> None:
        """See Results."""
        self.keep(result, replace=replace)

    def keep(self, result: ActionResult, *, replace: bool = False) -> bool:
        """As put; whether this result is now the one that is stored."""
        name, data = result_name(result.key), canonical.encode(result)
        if not replace:
            if self._refs.create(name, data) is not None:
                return True
            if self._answers(result.key):
                return False
            # What stands there is damaged, or names what is gone: the first result that works is kept.
        self._refs.write(name, data)
        return True

    def traces(self, key: str) -> tuple[Trace, ...]:
        """See Results."""
        record = self._refs.read(result_name(key))
        return decode_traces(record.data) if record else ()

    def add_trace(self, key: str, trace: Trace) -> None:
        """See Results. Of two added at once one may be lost: then a later build finds one way less to a hit."""
        known = self.traces(key)
        kept = (trace, *(one for one in known if one != trace))[:KEPT_TRACES]
        if kept != known:
            self._refs.write(result_name(key), canonical.encode(Traces(kept)))

    def _answers(self, key: str) -> bool:
        record = self._refs.read(result_name(key))
        result = decode_result(record.data, key) if record else None
        return result is not None and not self._blobs.find_missing(blobs_of(result))


class TieredResults:
    """Results of this machine in front of those all share.

    A local result answers only while it was confirmed less than `lease` seconds ago (`confirmed` tells how long
    ago that was): later its blobs may have been collected where all share them.
    """

    def __init__(
        self, local: StoredResults, remote: StoredResults, *, confirmed: Callable[[str], float | None], lease: float
    ) -> None:
        self._local, self._remote = local, remote
        self._confirmed, self._lease = confirmed, lease

    def get(self, key: str, *, whole: bool = True) -> Hit | None:
        """See Results."""
        age = self._confirmed(result_name(key))
        if age is not None and age < self._lease:
            hit = self._local.get(key)
            if hit is not None:
                return hit
        hit = self._remote.get(key, whole=whole)
        if hit is not None:
            self._local.put(hit.result, replace=True)
        return hit

    def put(self, result: ActionResult, *, replace: bool = False) -> None:
        """See Results."""
        # Remote first: a crash between the two must not leave a result that only this machine can see. And
        # when another machine's result was first, this one must not be the only to answer with its own.
        if self._remote.keep(result, replace=replace):
            self._local.keep(result, replace=True)

    def traces(self, key: str) -> tuple[Trace, ...]:
        """See Results."""
        known = dict.fromkeys((*self._local.traces(key), *self._remote.traces(key)))
        return tuple(known)[:KEPT_TRACES]

    def add_trace(self, key: str, trace: Trace) -> None:
        """See Results."""
        self._remote.add_trace(key, trace)
        self._local.add_trace(key, trace)


def blobs_of(result: ActionResult) -> list[str]:
    """Every blob that a result names: outputs, then logs."""
    logs = (log.hash for log in (result.stdout, result.stderr) if log.hash)
    return list(dict.fromkeys([*(output.hash for output in result.outputs if output.mode != "link"), *logs]))


def decode_result(data: bytes, key: str) -> ActionResult | None:
    """The result in a record; None when it is damaged, of another schema, or of another key."""
    try:
        result = _RESULT.decode(data)
    except msgspec.DecodeError:
        return None
    whole = result.schema == RESULT_SCHEMA and result.key == key
    return result if whole and all(hashing.is_digest(hash_) for hash_ in blobs_of(result)) else None


def decode_traces(data: bytes) -> tuple[Trace, ...]:
    """The traces in a record; none when it is damaged or of another schema."""
    try:
        traces = _TRACES.decode(data)
    except msgspec.DecodeError:
        return ()
    return traces.traces[:KEPT_TRACES] if traces.schema == TRACES_SCHEMA else ()
