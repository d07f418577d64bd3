"""What a folder was last hydrated to: a small file that people and CI may keep. Format: docs/design/hydrate.md."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from shared import atomic, canonical
from shared.clock import from_iso
from shared.errors import named

_HASH = re.compile(r"[0-9a-f]{64}")


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of the file: project, hash of the state that was reached, when (ISO 8601, UTC), how many files."""

    book_id: str
    manifest_hash: str
    timestamp: str
    file_count: int


class Found(msgspec.Struct, frozen=True):
    """What was read: nothing when there is no file that can be used, and then why, if one was there."""

    state: State | None = None
    warning: str = ""


def read(path: Path, project: str) -> Found:
    """The state of a folder; one that cannot be used is deleted, as the next hydrate writes a new one.

    LocalError when the file is there and the system refuses to have it read; then it stays.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Found()
    except OSError as error:
        raise named(error, path, "reading") from error
    try:
        state = msgspec.json.decode(data, type=State)
        why = _wrong(state)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        state, why = None, str(error)
    if state is None or why:
        forget(path)
        return Found(None, f"{path} cannot be used ({why}); looking at every file")
    if state.book_id != project:
        return Found(None, f"{path} is of {state.book_id!r}, not of {project!r}; looking at every file")
    return Found(state)


def write(path: Path, state: State) -> None:
    """Replace the file; LocalError."""
    atomic.write_atomic(path, canonical.encode(state) + b"\n", durable=True)


def forget(path: Path) -> None:
    """Delete the file, if it is there; LocalError."""
    try:
        atomic.discard(path)
    except OSError as error:
        raise named(error, path, "writing") from error


def _wrong(state: State) -> str:
    if not _HASH.fullmatch(state.manifest_hash):
        return "manifest_hash is no 64 hex digits"
    if state.file_count < 0:
        return "file_count is below 0"
    try:
        from_iso(state.timestamp)
    except ValueError as error:
        return f"timestamp: {error}"
    return ""
