"""What files ask for, by digest, kept between runs; a cache of this machine and never the truth.

Format: docs/design/includes.md.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from coordinator.includes.contents import NOTHING, Contents
from shared.errors import LocalError

SCHEMA = "windrow.includes/1"
_SPARE = 4096  # entries that no scan asked for that may stay


class _Stored(msgspec.Struct, frozen=True):
    schema: str
    nothing: list[str]
    entries: dict[str, Contents]


class DirectiveCache:
    """Contents by digest. Without a path nothing is kept. warning: why an earlier file does not count."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._stored: dict[str, Contents] = {}
        self._used: dict[str, Contents] = {}
        self._new = False
        self.warning = ""

    @classmethod
    def load(cls, path: Path) -> DirectiveCache:
        """The cache in a file; an empty one if there is none, or with a warning if it cannot be read."""
        found = cls(path)
        try:
            stored = msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            return found
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            found.warning = f"{path.name} cannot be read, so every header is scanned again: {error}"
            return found
        if stored.schema == SCHEMA:
            found._stored = {**stored.entries, **dict.fromkeys(stored.nothing, NOTHING)}
        else:
            found.warning = f"{path.name} is of another version ({stored.schema}), so every header is scanned again"
        return found

    def get(self, digest: str) -> Contents | None:
        """What is known of a digest."""
        known = self._used.get(digest)
        if known is None and (known := self._stored.get(digest)) is not None:
            self._used[digest] = known
        return known

    def put(self, digest: str, found: Contents) -> None:
        """Remember it."""
        self._used[digest] = found
        self._new = True

    def save(self) -> str:
        """Write what is known now, if anything is new; a warning if that could not be done."""
        if not self._new or self._path is None:
            return ""
        from shared.atomic import write_atomic  # noqa: PLC0415 - not needed when nothing changed

        spare = [digest for digest in self._stored if digest not in self._used][-max(_SPARE, len(self._used)) :]
        kept = {**{digest: self._stored[digest] for digest in spare}, **self._used}
        entries = {digest: found for digest, found in kept.items() if found is not NOTHING}
        nothing = [digest for digest, found in kept.items() if found is NOTHING]
        try:
            write_atomic(self._path, msgspec.msgpack.encode(_Stored(SCHEMA, nothing, entries)), durable=False)
        except LocalError as error:
            return f"the next scan of includes will be slow: {error.what}"
        self._new = False
        return ""
