"""The facts the event log keeps; audit, never the truth."""

from __future__ import annotations

from typing import Literal

import msgspec


class InputEvent(msgspec.Struct, frozen=True, tag_field="type", tag="input"):
    """A source changed: digest, or empty when it was deleted."""

    id: str
    revision: int
    hash: str
    change: Literal["added", "modified", "deleted"]
    build: str
    created_at: str
    edited_by: Literal["user", "system"] = "user"


class IngestEvent(msgspec.Struct, frozen=True, tag_field="type", tag="ingest"):
    """An ingest put in, replaced or took out a file; id is its path, source where it was found; hash as above."""

    id: str
    revision: int
    hash: str
    change: Literal["added", "modified", "deleted"]
    build: str
    created_at: str
    source: str = ""


class ArtefactEvent(msgspec.Struct, frozen=True, tag_field="type", tag="artefact"):
    """A job came to an end for one artefact."""

    artefact: str
    revision: int
    inputs_hash: str
    hash: str
    size: int
    status: Literal["executed", "reused", "failed", "skipped", "removed"]
    produced_by: str
    build: str
    created_at: str
    message: str = ""


Event = InputEvent | IngestEvent | ArtefactEvent
