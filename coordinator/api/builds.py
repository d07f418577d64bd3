"""BuildResource: a build that is driven step by step, kept in the workspace so that a server may be restarted."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from coordinator import edits, steps
from coordinator.progress import Observers
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.request import Request
from shared import atomic
from shared.errors import Conflict, NothingMatched, named
from shared.model.manifest import revision_name

_ID = re.compile(r"[0-9a-f]{12}")

Status = Literal["planned", "running", "executed", "failed", "committed"]


class BuildResource(msgspec.Struct, frozen=True):
    """A build: what it was planned on, its layers of job ids, how many of these are executed, and what came of it.

    base: hash of the manifest it starts from, "" for none. executed, reused: jobs, by the layers executed here.
    """

    id: str
    project: str
    branch: str
    base: str
    base_revision: str | None
    layers: tuple[tuple[str, ...], ...]
    edits: dict[str, Any] = {}
    status: Status = "planned"
    layers_done: int = 0
    executed: int = 0
    reused: int = 0
    failures: tuple[dict[str, Any], ...] = ()
    revision: str | None = None
    schema: str = "windrow.build-resource/1"


class Builds:
    """The builds of a project's workspace. What they raise: NothingMatched for one that is not there, else as steps."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.settings.state_dir / "builds"

    def create(self, given: Mapping[str, Any]) -> BuildResource:
        """Plan a build with these edits; nothing is written but the resource itself."""
        edits.pend(self.project, given)
        seen = steps.compute_plan(self.project, Request())
        name, branch = self.project.name
        made = BuildResource(
            os.urandom(6).hex(),
            name,
            branch,
            seen.base.manifest_hash,
            revision_name(seen.base.revision) if seen.base.revision else None,
            seen.plan.layers,
            dict(given),
        )
        return self._keep(made)

    def get(self, id_: str) -> BuildResource:
        """A build by its id."""
        try:
            return msgspec.json.decode(self._path(id_).read_bytes(), type=BuildResource)
        except (FileNotFoundError, msgspec.MsgspecError):
            raise NothingMatched(f"there is no build {id_}", why="it was never made, or deleted") from None
        except OSError as error:
            raise named(error, self._path(id_), "reading") from error

    def delete(self, id_: str) -> None:
        """Forget a build; what it executed and committed stays."""
        self.get(id_)
        self._path(id_).unlink(missing_ok=True)

    def execute(self, id_: str, layer: int) -> BuildResource:
        """Execute what is missing of the layers up to one; done before, nothing happens. The first writes the edits."""
        build = self.get(id_)
        if layer >= len(build.layers):
            raise NothingMatched(f"build {id_} has no layer {layer}", why=f"it has {len(build.layers)}, from 0")
        if build.status == "committed" or layer < build.layers_done:
            return build
        if build.layers_done == 0:
            edits.pend(self.project, build.edits)
        report = steps.execute_layer(self.project, Request(), layer, Observers(), base=build.base)
        return self._keep(_after(build, report, layer))

    def commit(self, id_: str) -> BuildResource:
        """Save the manifest of a build whose layers are all executed; saved before, nothing happens."""
        build = self.get(id_)
        if build.status == "committed":
            return build
        if build.layers_done < len(build.layers):
            raise Conflict(
                f"build {id_} is not executed yet",
                why=f"{build.layers_done} of its {len(build.layers)} layers are",
                fix="execute the other layers first",
            )
        try:
            if not build.layers:
                edits.pend(self.project, build.edits)
            report = steps.save_manifest(self.project, Request(), Observers(), base=build.base)
        except Conflict:
            edits.pend(self.project, build.edits)
            seen = steps.compute_plan(self.project, Request())
            if seen.plan or not seen.base.revision:
                raise
            # This very build committed, and the server died before it could say so; or another made the same.
            return self._keep(_committed(build, seen.base.revision))
        if report.status == "failed":
            return self._keep(_failed(build, report))
        return self._keep(_committed(build, report.revision or report.base_revision))

    def _keep(self, build: BuildResource) -> BuildResource:
        atomic.write_atomic(self._path(build.id), msgspec.json.encode(build), durable=False)
        return build

    def _path(self, id_: str) -> Path:
        if not _ID.fullmatch(id_):
            raise NothingMatched(f"there is no build {id_!r}", why="an id is 12 hexadecimal digits")
        return self.folder / f"{id_}.json"


def _after(build: BuildResource, report: BuildReport, layer: int) -> BuildResource:
    if report.status == "failed":
        return _failed(build, report)
    whole = layer + 1 == len(build.layers)
    # What earlier layers had to be done again is reused by every later one, and counted once.
    reused = max(0, sum(report.reused.values()) - build.executed)
    return msgspec.structs.replace(
        build,
        status="executed" if whole else "running",
        layers_done=layer + 1,
        executed=build.executed + report.executed,
        reused=reused,
        failures=(),
    )


def _failed(build: BuildResource, report: BuildReport) -> BuildResource:
    failures = tuple(report.as_json()["failures"])
    return msgspec.structs.replace(build, status="failed", executed=build.executed + report.executed, failures=failures)


def _committed(build: BuildResource, revision: int) -> BuildResource:
    return msgspec.structs.replace(build, status="committed", revision=revision_name(revision), failures=())
