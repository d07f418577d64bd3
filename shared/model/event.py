"""The facts the event log keeps; audit, never the truth."""

from __future__ import annotations

from typing import Literal

import msgspec


class Changed(msgspec.Struct, frozen=True):
    """Something by its id came, went or holds something else: digest, or empty when it was deleted."""

    id: str
    revision: int
    hash: str
    change: Literal["added", "modified", "deleted"]
    build: str
    created_at: str


class InputEvent(Changed, frozen=True, tag_field="type", tag="input"):
    """A source, or the value of a blueprint's input, changed."""

    edited_by: Literal["user", "system"] = "user"
    what: Literal["source", "value"] = "source"


class IngestEvent(Changed, frozen=True, tag_field="type", tag="ingest"):
    """An ingest put in, replaced or took out a file; id is its path, source where it was found."""

    source: str = ""


class ArtefactEvent(msgspec.Struct, frozen=True, tag_field="type", tag="artefact"):
    """A job came to an end for one artefact, or somebody edited it.

    seconds, cost: of the whole job, where it was executed.
    """

    artefact: str
    revision: int
    inputs_hash: str
    hash: str
    size: int
    status: Literal["executed", "reused", "failed", "skipped", "removed", "edited"]
    produced_by: str
    build: str
    created_at: str
    message: str = ""
    seconds: float = 0.0
    cost: float = 0.0


Event = InputEvent | IngestEvent | ArtefactEvent
