"""Refuses outputs that cannot be: made twice, in the place of a folder, or behind a symlink."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coordinator.importers.expansion import Job
from shared.errors import GraphError
from shared.model.snapshot import Snapshot


def check_outputs(jobs: Sequence[Job], snapshot: Snapshot) -> dict[str, Job]:
    """Which job makes each path; GraphError names both sides of a quarrel."""
    makers: dict[str, Job] = {}
    for job in jobs:
        for path in job.outputs:
            if path in makers:
                raise _twice(path, makers[path], job)
            makers[path] = job
    folders = {path.rpartition("/")[0]: path for path in makers}
    for folder, path in folders.items():
        _check_folder(folder, path, snapshot, makers)
    source_folders = _all_folders(path for path in snapshot.sources if path not in makers)
    for path in makers.keys() & source_folders:
        raise GraphError(
            f"output {path} is a folder that holds sources", at=makers[path].rule.at, fix="give the output another name"
        )
    return makers


def _check_folder(folder: str, path: str, snapshot: Snapshot, makers: dict[str, Job]) -> None:
    at = makers[path].rule.at
    while folder:
        if folder in snapshot.links:
            raise GraphError(
                f"output {path} lies behind the symlink {folder}",
                at=at,
                why=f"{folder} points to {snapshot.links[folder]!r}, so the output would be written there",
                fix=f"replace the symlink {folder} by a folder, or write to another one",
            )
        if folder in snapshot.sources and folder not in makers:
            raise GraphError(
                f"output {path} needs a folder {folder}, which is a source file",
                at=at,
                fix="give the output another folder",
            )
        folder = folder.rpartition("/")[0]


def _all_folders(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _twice(path: str, first: Job, second: Job) -> GraphError:
    def named(job: Job) -> str:
        return f"rule '{job.rule.name}' ({job.rule.at})" + (f" from {job.files[0]}" if job.files else "")

    if first is second:
        return GraphError(f"{named(second)} makes {path} twice", at=second.rule.at, fix="take one of them out")
    same = first.rule is second.rule
    return GraphError(
        f"two {'jobs' if same else 'rules'} make {path}",
        at=second.rule.at,
        why=f"{named(first)} makes it, and so does {named(second)}",
        fix="name outputs with {path} rather than {stem}" if same else "give one of them another output",
    )
