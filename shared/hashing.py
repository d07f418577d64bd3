"""Digests of bytes, files and trees; the only module that imports hashlib.

The text form is `sha256:<64 hex>`, in memory and in JSON; storage paths use the bare hex.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared import canonical

PREFIX = "sha256:"
EMPTY = PREFIX + hashlib.sha256(b"").hexdigest()
_FORM = re.compile(r"sha256:[0-9a-f]{64}")
_CHUNK = 1 << 20
# Most files are small, and a buffer of this size costs no system call.
_FIRST = 1 << 16


def of_bytes(data: bytes) -> str:
    """Digest of bytes."""
    return PREFIX + hashlib.sha256(data).hexdigest()


def of_value(value: Any) -> str:
    """Digest of the canonical JSON of a value."""
    return of_bytes(canonical.encode(value))


def of_descriptor(fd: int) -> tuple[str, int]:
    """Digest and size in bytes of what an open file holds from its current position on."""
    hasher, size, most = hashlib.sha256(), 0, _FIRST
    while chunk := os.read(fd, most):
        hasher.update(chunk)
        size += len(chunk)
        most = _CHUNK
    return PREFIX + hasher.hexdigest(), size


def of_file(path: str | os.PathLike[str]) -> tuple[str, int]:
    """Digest and size of a regular file; OSError as open() raises it."""
    # os.open + os.read costs 2.5 times less for small files than hashlib.file_digest.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return of_descriptor(fd)
    finally:
        os.close(fd)


def of_tree(entries: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """The content hash of a tree: `path:hex` lines, sorted by code point, joined by newline."""
    items = entries.items() if isinstance(entries, Mapping) else entries
    return of_bytes("\n".join(f"{path}:{bare(hash_)}" for path, hash_ in sorted(items)).encode())


def bare(hash_: str) -> str:
    """The 64 hex digits of a text form; ValueError if it is none."""
    if _FORM.fullmatch(hash_) is None:
        raise ValueError(f"not a SHA-256 digest: {hash_!r}")
    return hash_[len(PREFIX) :]


def is_digest(text: str) -> bool:
    """Whether a text is a digest in text form."""
    return _FORM.fullmatch(text) is not None


class Hasher:
    """A running digest, for streams."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self.size = 0

    def update(self, data: bytes) -> None:
        """Add bytes."""
        self._hasher.update(data)
        self.size += len(data)

    def digest(self) -> str:
        """Text form of what was added so far."""
        return PREFIX + self._hasher.hexdigest()
