"""What Python files ask for, by digest, kept between runs; a cache of this workspace and never the truth."""

from __future__ import annotations

from pathlib import Path

import msgspec

from coordinator.imports.contents import Contents, read
from shared import hashing
from shared.errors import LocalError
from shared.version import VERSION

# What is found in a file may differ with the reader.
SCHEMA = f"windrow.imports/1 {VERSION}"


class _Stored(msgspec.Struct, frozen=True):
    schema: str
    entries: dict[str, Contents]


class ImportCache:
    """Contents by digest. What cannot be read, or is of another version, counts as empty: only time is lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored: dict[str, Contents] | None = None
        self._used: dict[str, Contents] = {}
        self._new = False

    def get(self, digest: str, data: Path) -> Contents:
        """What a file asks for that has, or had when the tree was looked at, this digest."""
        known = self._used.get(digest) or self._load().get(digest)
        if known is None:
            try:
                text = data.read_bytes()
            except OSError:
                text = b""  # it went away meanwhile: before a job is given it, that shows
            known = read(text)
            if hashing.of_bytes(text) != digest:
                return known
            self._new = True
        self._used[digest] = known
        return known

    def save(self) -> str:
        """Write what is known now, if anything is new; a warning if that could not be done."""
        if not self._new:
            return ""
        from shared.atomic import write_atomic  # noqa: PLC0415 - not needed when nothing changed

        try:
            write_atomic(self._path, msgspec.msgpack.encode(_Stored(SCHEMA, self._used)), durable=False)
        except LocalError as error:
            return f"the next reading of imports will be slow: {error.what}"
        self._new = False
        return ""

    def _load(self) -> dict[str, Contents]:
        if self._stored is None:
            self._stored = {}
            try:
                stored = msgspec.msgpack.decode(self._path.read_bytes(), type=_Stored)
            except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return self._stored
            if stored.schema == SCHEMA:
                self._stored = stored.entries
        return self._stored
