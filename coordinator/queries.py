"""What a project is asked about from outside, as plain values: how it stands, why something runs, what differs.

For the command line, the MCP server and others. Each answer says its schema; docs/reference/json.md has the fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from coordinator.commit.base import Base, read_manifest, revisions
from coordinator.history.runs import Progress, find_plan, list_runs, plan_record
from coordinator.joining import joined
from coordinator.lock.lease import Holder
from coordinator.plan.explain import Explained, chain
from coordinator.plan.planner import select
from coordinator.project import Project
from coordinator.survey import Survey
from shared.errors import UsageError
from shared.model.file import FileState
from shared.model.graph import BuildGraph
from shared.model.manifest import Artefact, Manifest, revision_name, revision_number


class Difference(NamedTuple):
    """One path on which two revisions differ; was and now are digests, empty where it is not there."""

    kind: str
    path: str
    change: str
    was: str
    now: str


class Standing(NamedTuple):
    """How a project stands: its revision, its last build, who holds its lock."""

    base: Base
    last: Progress | None
    holder: Holder | None
    problems: tuple[str, ...]


def standing(project: Project) -> Standing:
    """How a project stands now; FarmError."""
    base, holder = project.load_base(), project.lock().current()
    runs = list_runs(project.stores.refs, *project.name, limit=1, holder=holder.build if holder else "")
    return Standing(base, runs.runs[0] if runs.runs else None, holder, (*base.problems, *runs.problems))


def standing_json(project: Project, now: Standing) -> dict[str, Any]:
    """The object of `windrow status --json`, schema windrow.status/1."""
    manifest, holder = now.base.manifest, now.holder
    return {
        "schema": "windrow.status/1",
        "project": project.name[0],
        "branch": project.name[1],
        "revision": revision_name(now.base.revision) if manifest else None,
        "manifest_hash": now.base.manifest_hash or None,
        "content_hash": manifest.content_hash if manifest else None,
        "sources": len(manifest.sources) if manifest else 0,
        "artefacts": len(manifest.artefacts) if manifest else 0,
        "ingested": len(manifest.ingested) if manifest else 0,
        "jobs": len(manifest.jobs) if manifest else 0,
        "job_seconds": round(sum(j.seconds for j in manifest.jobs.values()), 3) if manifest else 0,
        "cost": round(sum(j.cost for j in manifest.jobs.values()), 6) if manifest else 0,
        "kinds": _kinds(manifest) if manifest else {},
        "last_build": msgspec.to_builtins(now.last) if now.last else None,
        "lock": {"build": holder.build, "host": holder.host, "pid": holder.pid} if holder else None,
    }


def _kinds(manifest: Manifest) -> dict[str, dict[str, int]]:
    """How many jobs and artefacts there are of each rule or producer."""
    kinds: dict[str, dict[str, int]] = {}
    for job in manifest.jobs.values():
        kinds.setdefault(job.rule, {"jobs": 0, "artefacts": 0})["jobs"] += 1
    for artefact in manifest.artefacts.values():
        kinds[manifest.jobs[artefact.job].rule]["artefacts"] += 1
    return dict(sorted(kinds.items()))


def plan_json(seen: Survey) -> dict[str, Any]:
    """The object of `windrow plan --json`, schema windrow.plan/1; equal for equal inputs, byte for byte."""
    revision = seen.base.next_revision if seen.plan else seen.plan.base_revision
    record: dict[str, Any] = msgspec.to_builtins(plan_record(seen.plan, seen.graph or BuildGraph(()), revision))
    return {"schema": record.pop("schema"), **record}


def why_json(project: Project, seen: Survey, target: str) -> dict[str, Any]:
    """The object of `windrow why --json`, schema windrow.why/1; UnknownTarget for a target that is none.

    Of a target that stands for several jobs it is about the first that is out of date, if any is.
    """
    meant = select(seen.graph or joined(project, seen.snapshot), (target,))
    job = min([id_ for id_ in meant if id_ in seen.plan.jobs] or meant)
    answer: dict[str, Any] = {"schema": "windrow.why/1", "target": target, "job": job, "state": "up-to-date"}
    jobs: Mapping[str, Explained] = seen.plan.jobs
    if job in jobs:
        answer["state"] = "out-of-date"
    else:
        past = find_plan(project.stores.refs, *project.name, job, revision=seen.base.revision)
        if past is None:
            return answer
        jobs, answer["planned_for"] = past.jobs, past.revision
    return {**answer, "chain": [{"depth": depth, "text": text} for depth, text in chain(jobs, job)]}


def revision(project: Project, text: str) -> Manifest:
    """A revision by its name or number; UsageError that says which there are, ValueError for a text that is none."""
    found = read_manifest(project.stores.refs, *project.name, revision_number(text))
    if found is None:
        known = revisions(project.stores.refs, *project.name)
        kept = f"kept are {', '.join(revision_name(n) for n in known[-5:])}" if known else "none is kept"
        raise UsageError(f"there is no revision {text}", why=kept, fix="windrow builds")
    return found


def differences(before: Manifest, after: Manifest) -> Iterator[Difference]:
    """Every path on which two revisions differ, by kind; what only lies in the store between jobs is left out."""
    for kind, one, two in (
        ("input", before.inputs, after.inputs),
        ("source", _hashes(before.sources), _hashes(after.sources)),
        ("artefact", _hashes(_final(before)), _hashes(_final(after))),
        ("ingested", _hashes(before.ingested), _hashes(after.ingested)),
    ):
        for path in sorted({*one, *two}):
            was, now = one.get(path, ""), two.get(path, "")
            if was != now:
                yield Difference(kind, path, "added" if not was else "removed" if not now else "changed", was, now)


def _final(manifest: Manifest) -> dict[str, Artefact]:
    return {path: made for path, made in manifest.artefacts.items() if not made.stored}


def _hashes(files: Mapping[str, FileState] | Mapping[str, Artefact]) -> dict[str, str]:
    return {path: file.hash for path, file in files.items()}


def diff_json(before: Manifest, after: Manifest) -> dict[str, Any]:
    """The object of `windrow diff --json`, schema windrow.diff/1."""
    entries = [{**one._asdict(), "was": one.was or None, "now": one.now or None} for one in differences(before, after)]
    a, b = revision_name(before.revision), revision_name(after.revision)
    return {"schema": "windrow.diff/1", "from": a, "to": b, "differences": entries}
