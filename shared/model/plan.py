"""Plan: the layers of jobs that must run, each with its reasons.

Reasons are values; `coordinator/plan/explain.py` turns them into words.
"""

from __future__ import annotations

import msgspec

from shared.model.changes import ChangeSet


class InputChanged(msgspec.Struct, frozen=True, tag="input-changed"):
    """A file it reads has another content."""

    path: str
    was: str
    now: str


class InputAdded(msgspec.Struct, frozen=True, tag="input-added"):
    """A file is new among those it reads, or could be read in the place of one."""

    path: str


class InputRemoved(msgspec.Struct, frozen=True, tag="input-removed"):
    """A file it read is gone, or is no longer an input."""

    path: str


class CommandChanged(msgspec.Struct, frozen=True, tag="command-changed"):
    """The command line, the outputs or the depfile differ."""

    was: tuple[str, ...]
    now: tuple[str, ...]


class EnvironmentChanged(msgspec.Struct, frozen=True, tag="environment-changed"):
    """A declared variable has another value; None is unset."""

    name: str
    was: str | None
    now: str | None


class ToolchainChanged(msgspec.Struct, frozen=True, tag="toolchain-changed"):
    """The tools or the platform differ."""

    was: str
    now: str


class OutputMissing(msgspec.Struct, frozen=True, tag="output-missing"):
    """An output is gone from the workspace."""

    path: str


class OutputAltered(msgspec.Struct, frozen=True, tag="output-altered"):
    """An output in the workspace holds other bytes than were built."""

    path: str


class BlobLost(msgspec.Struct, frozen=True, tag="blob-lost"):
    """The store no longer holds an output, or holds it damaged."""

    path: str


class FailedBefore(msgspec.Struct, frozen=True, tag="failed-before"):
    """It failed in an earlier build and has not succeeded since."""

    build: str


class Upstream(msgspec.Struct, frozen=True, tag="upstream"):
    """A job whose output it reads must run."""

    job: str


class NeverBuilt(msgspec.Struct, frozen=True, tag="never-built"):
    """The manifest does not know it."""


class AlwaysRuns(msgspec.Struct, frozen=True, tag="always-runs"):
    """It needs something that is never up to date, or left out an output that would say that it is."""

    path: str = ""


class Forced(msgspec.Struct, frozen=True, tag="forced"):
    """Everything was asked for."""


Reason = (
    InputChanged
    | InputAdded
    | InputRemoved
    | CommandChanged
    | EnvironmentChanged
    | ToolchainChanged
    | OutputMissing
    | OutputAltered
    | BlobLost
    | FailedBefore
    | Upstream
    | NeverBuilt
    | AlwaysRuns
    | Forced
)

# With only these the bytes that come out are known already, so nothing downstream is marked.
RESTORING = (OutputMissing, OutputAltered)


class PlannedJob(msgspec.Struct, frozen=True):
    """A job that must run, why, and how long it is expected to take (seconds, 0 if unknown)."""

    id: str
    rule: str
    layer: int
    reasons: tuple[Reason, ...]
    expected: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """What must run, in layers; a pure function of graph, manifest and change set.

    base_revision is 0 for a first build. priority: job id to the expected seconds of the longest chain from it.
    estimated_seconds: along the longest chain; work_seconds: of all jobs together. removed: outputs no recipe makes any
    more; forgotten: those of them that are only in the store. preserved: jobs left as they are. outside: jobs that are
    not wanted, though the graph has them; stale: those of them that are out of date.
    """

    base_revision: int
    base_hash: str
    layers: tuple[tuple[str, ...], ...]
    jobs: dict[str, PlannedJob]
    priority: dict[str, float]
    changes: ChangeSet
    removed: tuple[str, ...] = ()
    preserved: tuple[str, ...] = ()
    estimated_seconds: float = 0.0
    work_seconds: float = 0.0
    outside: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    forgotten: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.jobs or self.removed or self.forgotten or self.changes.sources)
