"""What a command printed, as it goes into a result."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from shared import hashing
from shared.errors import named
from shared.model.action import Log
from shared.storage.blobs import BlobStore

INLINE = 4096  # bytes that travel inside the result


def printed(path: Path, roots: Iterable[str], known_as: str = "") -> bytes:
    """What a stream's file holds (b"" if there is none), with paths below any root of the job's tree made relative.

    Where it ran must not show: the same job prints the same everywhere. known_as: the folder that people know the
    tree by; with one, paths are made such as lie in it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise named(error, path, "reading") from error
    instead = os.fsencode(known_as)
    for root in (*map(os.fsencode, roots), b"/proc/self/cwd"):
        if instead and root in data:
            data = re.sub(re.escape(root) + rb"(?![\w.+-])", instead.replace(b"\\", b"\\\\"), data)
        elif root in data and root != b"/":
            data = re.sub(re.escape(root) + rb"(?![\w.+-])", b".", data.replace(root + b"/", b""))
    return data


def log_of(data: bytes, cut: int, blobs: BlobStore) -> tuple[Log, int]:
    """The log of what was printed, stored as a blob when it is long, and the bytes moved afar for that."""
    if len(data) <= INLINE:
        return Log(text=data.decode("utf-8", "replace"), size=len(data), cut=cut), 0
    hash_ = hashing.of_bytes(data)
    moved = blobs.put(hash_, data)
    return Log(hash=hash_, size=len(data), cut=cut), moved
