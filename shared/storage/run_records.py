"""Records of runs: which of them are kept; docs/design/events.md says what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.model.manifest import revision_number

RUNS = "/runs/"
FAILED_KEPT = 20  # records of builds that failed, a branch
_OF_REVISION = re.compile(r"(rev-\d+)-(?:plan|progress)\.json")
_OF_FAILED = re.compile(r"rev-\d+-(\d{8}T\w+)-[^/]+\.json")


def surplus(names: Iterable[str], *, room: int = 0) -> list[str]:
    """Of a branch's records those of failed builds that are too many, oldest first; room: for how many more."""
    failed = [(found[1], name) for name in names if (found := _OF_FAILED.fullmatch(name.rpartition("/")[2]))]
    return [name for _, name in sorted(failed)[: max(0, len(failed) + room - FAILED_KEPT)]]


def spent(ages: Iterable[tuple[str, float]], kept: Iterable[str], window: float) -> list[str]:
    """Among these names with their ages the records of runs to remove. kept: the names of the manifests that stay.

    Plan and progress go with their revision, once they are older than the window (seconds); those of the revision to
    come stay. Of failed builds each branch keeps the last 20.
    """
    revisions: dict[str, set[int]] = {}
    for name in kept:
        branch, _, file = name.rpartition("/manifests/")
        revisions.setdefault(branch, set()).add(revision_number(file.removesuffix(".json")))
    gone: list[str] = []
    by_branch: dict[str, list[str]] = {}
    for name, age in ages:
        branch, runs, file = name.rpartition(RUNS)
        if not runs:
            continue
        by_branch.setdefault(branch, []).append(name)
        found = _OF_REVISION.fullmatch(file)
        if found is None or age <= window or branch not in revisions:
            continue
        number, there = revision_number(found[1]), revisions[branch]
        if number not in there and number < max(there):
            gone.append(name)
    return gone + [name for names in by_branch.values() for name in surplus(names)]
