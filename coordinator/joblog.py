"""What a job printed, whole: from the record of a build in which it failed, else from the result that counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING

import msgspec

from coordinator.history.runs import FailedJob, Progress, list_runs
from shared.errors import BlobMissing, NothingMatched, UsageError
from shared.model.manifest import revision_name
from shared.storage.run_records import FAILED_KEPT

if TYPE_CHECKING:
    from coordinator.project import Project
    from shared.model.action import Log

BUILDS = 100  # that are looked through, the latest first


class JobLog(msgspec.Struct, frozen=True):
    """What a job printed, stdout first. build: the one it failed in, with exit_code; revision: of a job that was well.

    whole: False when only the end of it is left.
    """

    job: str
    log: str
    build: str = ""
    revision: str = ""
    exit_code: int = 0
    whole: bool = True


def job_logs(project: Project, job: str | None, build: str | None) -> list[JobLog]:
    """The log of a job, or without one those of all that failed in a build, by default the latest.

    job: its id, or a path that it makes.
    A job that the latest build it had a part in ended well is found in the current revision. Raises UsageError for a
    build that is not kept, NothingMatched where no job of that name is.
    """
    refs = project.stores.refs
    runs = list_runs(refs, *project.name, limit=BUILDS).runs
    if build is not None:
        runs = tuple(run for run in runs if run.build == build)
        if not runs:
            raise UsageError(
                f"no build {build} is kept here",
                why=f"of builds that made no revision the latest is kept, and {FAILED_KEPT} that failed",
                fix="`windrow builds` lists those that are",
            )
    if job is None:
        return [_failed(project, run, one) for run in runs[:1] for one in run.failures]
    manifest = project.load_base().manifest if build is None else None
    known = [*(manifest.jobs if manifest else ()), *(one.job for run in runs for one in run.failures)]
    if manifest is not None and job not in known and (made := manifest.artefacts.get(job)) is not None:
        job = made.job
    elif job not in known:
        # Ids end in the first output, where there is one; of a job that never was well nothing else is known.
        job = next((one for one in known if one.endswith(f":{job}")), job)
    entry = manifest.jobs.get(job) if manifest is not None else None
    for run in runs:
        if entry is not None and manifest is not None and run.build == manifest.build:
            break  # what came before it counts no more
        for one in run.failures:
            if one.job == job:
                return [_failed(project, run, one)]
    if entry is None or manifest is None:
        raise _unknown(job, build, known)
    hit = project.stores.results.get(entry.key)
    if hit is None:
        return [JobLog(job, "", revision=revision_name(manifest.revision), whole=False)]
    text, whole = _printed(project, (hit.result.stdout, hit.result.stderr))
    return [JobLog(job, text, revision=revision_name(manifest.revision), whole=whole)]


def _failed(project: Project, run: Progress, failure: FailedJob) -> JobLog:
    text, whole = failure.log, not failure.output
    if failure.output:
        # Else it was collected since: its end is in the record.
        with suppress(BlobMissing):
            text, whole = project.stores.blobs.get(failure.output).decode("utf-8", "replace"), True
    return JobLog(failure.job, text, build=run.build, exit_code=failure.exit_code, whole=whole)


def _printed(project: Project, logs: Iterable[Log]) -> tuple[str, bool]:
    texts, whole = [], True
    for log in logs:
        text = log.text
        if log.hash:
            try:
                text = project.stores.blobs.get(log.hash).decode("utf-8", "replace")
            except BlobMissing:
                whole = False
        whole = whole and not log.cut
        texts.append(text.rstrip("\n"))
    return "\n".join(filter(None, texts)), whole


def _unknown(job: str, build: str | None, known: Sequence[str]) -> NothingMatched:
    close = get_close_matches(job, known, n=1)
    where = f"failed in build {build}" if build else "is in the current revision or failed in a kept build"
    return NothingMatched(
        f"no job '{job}' {where}",
        fix=f"did you mean {close[0]}?" if close else "`windrow graph` lists the jobs; `windrow log` the last failures",
    )
