"""Manifest: the committed state of a build. Format: docs/design/manifest.md."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.model.action import Trace
from shared.model.file import FileState, Mode

MANIFEST_SCHEMA = "windrow.manifest/2"
READABLE = ("windrow.manifest/1", MANIFEST_SCHEMA)  # the newest last
POINTER_SCHEMA = "windrow.pointer/1"


class Artefact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An output: digest, size in bytes, kind, and the job that made it; target: what a symlink holds.

    stored: it stays in the store, and the workspace does not hold it. id, type: its canonical id and MIME type, where a
    blueprint makes it. edited: somebody wrote it by hand since.
    """

    hash: str
    size: int
    job: str
    mode: Mode = "file"
    target: str = ""
    stored: bool = False
    id: str = ""
    type: str = ""
    edited: bool = False


class JobEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job as it was when it last counted: what it was, and the key its outputs answer to.

    platform: identity of the tools it ran with. unread: candidates that carried a name the run asked for and
    were not read, sorted. cwd, files, outside, notes: see Action. also: outputs it made and does not declare, sorted.
    always: it runs whenever it is asked for. cost: what running it cost. beyond: the name of the set of files outside
    the tree that it read; those are not in its trace here.
    """

    rule: str
    key: str
    argv: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    env: tuple[tuple[str, str | None], ...] = ()
    depfile: str | None = None
    trace: Trace | None = None
    unread: tuple[str, ...] = ()
    platform: str = ""
    layer: int = 0
    seconds: float = 0.0
    cwd: str = ""
    files: tuple[tuple[str, str], ...] = ()
    outside: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()
    always: bool = False
    cost: float = 0.0
    beyond: str = ""
    notes: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """The immutable state of a project and branch at one revision.

    graph: fingerprint of what the graph was made from besides the tree. content_hash: digest of the
    sorted `path:hex` lines of sources, artefacts and ingested. rests: with an equal tree and graph there is nothing
    to do; not so when jobs were left out that nobody had asked for, or that run every time. ingested: files that were
    put in by `windrow ingest`, by the path they are hydrated to; a build carries them on and reads none of them.
    kind: what made the revision; a `source` one came of an ingest and has everything else as its base has it.
    inputs: the values that a blueprint was given, by id, as digests. beyond: files outside the tree that jobs read, by
    absolute path, with their digests. beyond_sets: the sets of them that jobs read, by name: numbers of paths of
    `beyond`, sorted.
    """

    project: str
    branch: str
    revision: int
    sources: dict[str, FileState]
    jobs: dict[str, JobEntry]
    artefacts: dict[str, Artefact]
    graph: str = ""
    content_hash: str = ""
    base_revision: int = 0
    base_hash: str = ""
    build: str = ""
    fence: int = 0
    created_at: str = ""
    tool: str = ""
    rests: bool = True
    ingested: dict[str, FileState] = {}
    kind: Literal["build", "source"] = "build"
    inputs: dict[str, str] = {}
    beyond: dict[str, str] = {}
    beyond_sets: dict[str, tuple[int, ...]] = {}
    schema: str = MANIFEST_SCHEMA


class Pointer(msgspec.Struct, frozen=True):
    """`current.json`: which revision is current; replaced only by compare-and-swap."""

    revision: int
    manifest_hash: str
    fence: int
    updated_at: str
    build: str
    schema: str = POINTER_SCHEMA


def revision_name(revision: int) -> str:
    """`rev-0001`; at least four digits, more when needed."""
    return f"rev-{revision:04d}"


def revision_number(name: str) -> int:
    """The number of `rev-0001` or `1`; ValueError for anything else."""
    digits = name.removeprefix("rev-")
    if not digits.isascii() or not digits.isdigit():
        raise ValueError(f"not a revision: {name!r}")
    return int(digits)
