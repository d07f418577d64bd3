"""Where things lie in a store, and which names a record may have."""

from __future__ import annotations

from shared import hashing
from shared.errors import UsageError

BLOBS = "blobs/"
_MAX_PART = 200
_MAX_NAME = 900


def blob_name(hash_: str) -> str:
    """`blobs/<2 hex>/<64 hex>`; ValueError if it is no digest."""
    digits = hashing.bare(hash_)
    return f"{BLOBS}{digits[:2]}/{digits}"


def blob_of(name: str) -> str | None:
    """The digest that a file or object name (its last part) stands for; None if it is not a blob's."""
    hash_ = hashing.PREFIX + name.rpartition("/")[2]
    return hash_ if hashing.is_digest(hash_) else None


def result_name(key: str) -> str:
    """`results/<2 hex>/<64 hex>`; ValueError if it is no digest."""
    digits = hashing.bare(key)
    return f"results/{digits[:2]}/{digits}"


def check(name: str) -> str:
    """The name of a record as it is; UsageError when it could leave the store, or hide in it."""
    _check_parts(name, name.split("/"))
    return name


def check_prefix(prefix: str) -> str:
    """The beginning of a name as it is, possibly empty, its last part possibly cut; UsageError as for names."""
    folder, _, last = prefix.rpartition("/")
    if prefix:
        _check_parts(prefix, [*(folder.split("/") if folder or "/" in prefix else []), last or "x"])
    return prefix


def _check_parts(name: str, parts: list[str]) -> None:
    why = ""
    if len(name.encode("utf-8", "replace")) > _MAX_NAME:
        why = f"it is longer than {_MAX_NAME} bytes"
    elif name.startswith(BLOBS):
        why = "blobs are not records"
    for part in parts:
        if not part:
            why = "a part of it is empty"
        elif part.startswith("."):
            why = "a part of it starts with a dot"
        elif ".tmp." in part or len(part.encode("utf-8", "replace")) > _MAX_PART:
            why = f"a part of it is longer than {_MAX_PART} bytes or has the form of a temporary file"
        elif not part.isprintable() or "\\" in part:
            why = "it holds a control character or a backslash"
    if why:
        raise UsageError(f"{name[:200]!r} cannot be the name of a record", why=why)
