"""What a folder is to hold: the files of one revision, as far as they are asked for."""

from __future__ import annotations

from typing import Literal

import msgspec

from coordinator.commit.base import read_manifest
from coordinator.ingest.mapping import content_type
from coordinator.project import Project
from shared import hashing
from shared.errors import CorruptRecord, UsageError
from shared.model.action import Output
from shared.model.manifest import Manifest, revision_name

Scope = Literal["all", "content", "assets", "artefacts"]


class Target(msgspec.Struct, frozen=True):
    """Files by path, and the revision they are of (0: there is none yet)."""

    files: dict[str, Output]
    revision: int

    @property
    def hash(self) -> str:
        """64 hex digits for the state: of its sorted `path:hex` lines."""
        return hashing.bare(hashing.of_tree((path, file.hash) for path, file in self.files.items()))


def choose(project: Project, scope: Scope, revision: int | None) -> Target:
    """The target of a revision, or of the current one, which is read once: later commits do not touch it.

    UsageError for a revision that is not there; CorruptRecord when the current one cannot be read.
    """
    if revision is not None:
        manifest = read_manifest(project.stores.refs, *project.name, revision)
        if manifest is None:
            raise UsageError(
                f"there is no revision {revision_name(revision)}", why="or it was collected", fix="windrow builds"
            )
        return Target(files_of(manifest, scope), revision)
    base = project.load_base()
    if base.manifest is None:
        if base.problems:
            # Not the same as nothing: a folder must not be emptied for it.
            raise CorruptRecord("the current revision cannot be read", why=base.problems[0], fix="windrow doctor")
        return Target({}, 0)
    return Target(files_of(base.manifest, scope), base.revision)


def files_of(manifest: Manifest, scope: Scope) -> dict[str, Output]:
    """The files of a revision that are asked for."""
    if scope == "artefacts":
        made = manifest.artefacts
        return {path: Output(path, one.hash, one.size, one.mode, one.target) for path, one in made.items()}
    return {
        path: Output(path, state.hash, state.size, state.mode)
        for path, state in manifest.ingested.items()
        if scope == "all" or (content_type(path) in ("markdown", "summary")) == (scope == "content")
    }
