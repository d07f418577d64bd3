"""Figures of a store by project and by kind of job, from current revisions and the records of kept builds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from shared.errors import CorruptRecord, SchemaUnknown
from shared.model.manifest import JobEntry, Manifest
from shared.model.tests import TEST_RULE
from shared.storage.ages import AgedRefs
from shared.storage.marking import MANIFESTS, PROJECTS, branches, current_revision, in_parallel

_RUN = "-progress.json"


class ProjectStats(msgspec.Struct):
    """What one project has in the store: its branches' current revisions, and how its kept builds came by their jobs.

    bytes: of the outputs that its current revisions name; other projects may name the same. hits: jobs that took a
    stored result; misses: jobs that ran.
    """

    branches: int = 0
    revisions: int = 0
    jobs: int = 0
    bytes: int = 0
    hits: int = 0
    misses: int = 0


class KindStats(msgspec.Struct):
    """Jobs of current revisions that are commands, calls or tests; bytes: of their outputs, seconds: that they ran."""

    jobs: int = 0
    bytes: int = 0
    seconds: float = 0.0


class _Run(msgspec.Struct):
    executed: int = 0
    reused: int = 0


def by_project_and_kind(refs: AgedRefs, names: Sequence[str]) -> tuple[dict[str, ProjectStats], dict[str, KindStats]]:
    """The figures; names: of all records under `projects/`. A record that cannot be read counts for nothing."""
    projects: dict[str, ProjectStats] = defaultdict(ProjectStats)
    kinds: dict[str, KindStats] = defaultdict(KindStats)
    for name in names:
        if MANIFESTS in name:
            projects[_project(name)].revisions += 1
    found = branches(names)
    for branch, manifest in zip(found, in_parallel(lambda one: _current(refs, one), found), strict=True):
        figures = projects[_project(branch)]
        figures.branches += 1
        if manifest is not None:
            _count(manifest, figures, kinds)
    runs = [name for name in names if name.endswith(_RUN)]
    for name, run in zip(runs, in_parallel(lambda one: _run(refs, one), runs), strict=True):
        projects[_project(name)].hits += run.reused
        projects[_project(name)].misses += run.executed
    return dict(sorted(projects.items())), dict(sorted(kinds.items()))


def _count(manifest: Manifest, figures: ProjectStats, kinds: dict[str, KindStats]) -> None:
    sizes: dict[str, int] = defaultdict(int)
    for made in manifest.artefacts.values():
        sizes[made.job] += made.size
    figures.jobs += len(manifest.jobs)
    figures.bytes += sum(sizes.values())
    for id_, entry in manifest.jobs.items():
        kind = kinds[kind_of(entry)]
        kind.jobs += 1
        kind.bytes += sizes[id_]
        kind.seconds = round(kind.seconds + entry.seconds, 6)


def kind_of(entry: JobEntry) -> str:
    """What kind of job an entry is: a test, a call or a command."""
    if entry.rule == TEST_RULE and entry.files:
        return "test"
    return "call" if entry.platform.startswith("call ") else "command"


def _project(name: str) -> str:
    return name.removeprefix(PROJECTS).partition("/")[0]


def _current(refs: AgedRefs, branch: str) -> Manifest | None:
    try:
        return current_revision(refs, branch)
    except (CorruptRecord, SchemaUnknown):
        return None  # `cache verify` tells of it


def _run(refs: AgedRefs, name: str) -> _Run:
    record = refs.read(name)
    try:
        return _Run() if record is None else msgspec.json.decode(record.data, type=_Run)
    except msgspec.DecodeError:
        return _Run()
