"""What a build means for the tests of a project: which run and why, and how each came out."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import msgspec

from coordinator.dispatch.failures import record_of
from coordinator.importers.pytests.recipes import tests_of
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.scan.categories import Categories
from coordinator.select.selector import Choice, Selection, because, why_skipped
from coordinator.select.ties import Tie, meant, tie
from shared.model.changes import ChangeSet
from shared.model.manifest import Manifest
from shared.model.plan import InputAdded, InputChanged, InputRemoved, Plan, Reason
from shared.model.tests import TEST_RULE, TestMap
from shared.pytest_record import TestRecord, parse

_WORDS = {InputChanged: "changed", InputAdded: "is new", InputRemoved: "is gone"}
_OTHERWISE: dict[type[Reason], str] = {InputAdded: "is needed now", InputRemoved: "is not needed any more"}


class TestFile(msgspec.Struct, frozen=True):
    """What became of a test file, or of the shard it is in: how is passed, failed, skipped or not run.

    from_cache: it passed since a stored result says so; nothing was run for it.
    """

    __test__ = False  # its name has pytest think otherwise

    test: str
    how: str
    reason: str
    record: TestRecord | None = None
    seconds: float = 0.0
    from_cache: bool = False


def typed(root: Path, name: str) -> str:
    """A test as somebody types it, in its one spelling; of a folder, a glob over all that lies in it."""
    path = posixpath.normpath(name)
    return posixpath.normpath(f"{path}/*") if not posixpath.isabs(path) and (root / path).is_dir() else path


def chosen(
    project: Project, plan: Plan | None, mapped: TestMap | None, explained: Callable[[Reason], str]
) -> Selection:
    """Which tests a plan runs and which not; mapped: those of its graph, explained: a reason in words.

    Without a plan, or where no graph had to be made for it, nothing differs from what was committed.
    """
    if mapped is None or plan is None:
        return _at_rest(project)
    changes = plan.changes
    changed = {*changes.added, *changes.modified, *changes.deleted}
    docs = _docs(changes, project)
    selected: list[Choice] = []
    skipped: list[Choice] = []
    for test, one in sorted(mapped.tests.items()):
        job = mapped.jobs[test]
        planned = plan.jobs.get(job)
        if planned is not None:
            named = _named(planned.reasons, one.via, changed)
            choice = because(test, one, mapped, *named) if named else Choice(test, explained(planned.reasons[0]))
            selected.append(choice)
        elif job in plan.outside:
            skipped.append(Choice(test, "not asked for"))
        else:
            skipped.append(Choice(test, why_skipped(one, changed, docs)))
    return Selection(tuple(selected), tuple(skipped))


def ties_of_plan(
    plan: Plan, mapped: TestMap, name: str, explained: Callable[[Reason], str]
) -> tuple[str, tuple[Tie, ...]]:
    """The file that a name means, and why a plan runs it, if it is a test file; else which tests it runs for it.

    UnknownTarget for a name of no file that a test depends on, and that is none of what changed.
    """
    changes = plan.changes
    path = meant(mapped, name, (*changes.added, *changes.modified, *changes.deleted))
    found: list[Tie] = []
    for test in (path,) if path in mapped.tests else sorted(mapped.tests):
        planned = plan.jobs.get(mapped.jobs[test])
        for reason in planned.reasons if planned else ():
            found += _tied(test, mapped, reason, explained)
    return path, tuple(found if path in mapped.tests else (one for one in found if one.path == path))


def _tied(test: str, mapped: TestMap, reason: Reason, explained: Callable[[Reason], str]) -> Iterator[Tie]:
    if not isinstance(reason, InputChanged | InputAdded | InputRemoved):
        yield Tie(test, "", "job", explained(reason))
    elif reason.path in mapped.tests[test].files:
        yield tie(test, mapped.tests[test], mapped, reason.path)
    elif isinstance(reason, InputRemoved):
        yield Tie(test, reason.path, "imports", "it is gone, or not needed any more")
    else:
        yield Tie(test, reason.path, "job", "another test file of its shard depends on it")


def _named(reasons: tuple[Reason, ...], via: Mapping[str, str], changed: Collection[str]) -> tuple[str, str] | None:
    """The file to name and what became of it: one that is imported rather than another."""
    files = [reason for reason in reasons if isinstance(reason, InputChanged | InputAdded | InputRemoved)]
    if not files or not isinstance(reasons[0], InputChanged | InputAdded | InputRemoved):
        return None
    first = min(files, key=lambda reason: (reason.path not in via, isinstance(reason, InputAdded), reason.path))
    # What did not change itself was added to what the test depends on, or taken from it.
    return first.path, _WORDS[type(first)] if first.path in changed else _OTHERWISE.get(type(first), "changed")


def _docs(changes: ChangeSet, project: Project) -> set[str]:
    categories = Categories(project.settings.categories)
    return {path for path in (*changes.added, *changes.modified, *changes.deleted) if categories.of(path) == "docs"}


def _at_rest(project: Project) -> Selection:
    """Nothing differs: every test that the manifest has is skipped."""
    manifest = project.load_base().manifest
    jobs = manifest.jobs.values() if manifest else ()
    tests = sorted(test for entry in jobs if entry.rule == TEST_RULE for test in tests_of(entry.argv))
    return Selection((), tuple(Choice(test, "nothing changed") for test in tests))


def results(project: Project, report: BuildReport, selection: Selection) -> list[TestFile]:
    """How each test file came out; a shard stands for its files."""
    manifest = project.load_base().manifest
    jobs = (report.tests.jobs if report.tests else None) or {
        test: id_
        for id_, entry in (manifest.jobs.items() if manifest else ())
        if entry.rule == TEST_RULE
        for test in tests_of(entry.argv)
    }
    failed = {failure.job: failure for failure in report.failures}
    how = {**dict.fromkeys((one.test for one in selection.selected), "passed")}
    found: list[TestFile] = []
    for choice in sorted((*selection.selected, *selection.skipped), key=lambda choice: choice.test):
        job = jobs[choice.test]
        if job in failed:
            record = parse(failed[job].record)
            found.append(TestFile(choice.test, "failed", choice.reason, record, failed[job].seconds))
            continue
        record, seconds = _record(project, job, manifest, report.done.get(job, ""))
        way = how.get(choice.test, "skipped")
        if way == "passed" and job not in report.done:
            way, record = "not run", None
        from_cache = way == "passed" and job in report.reused_jobs
        found.append(TestFile(choice.test, way, choice.reason, record, seconds, from_cache))
    return found


def _record(project: Project, job: str, manifest: Manifest | None, key: str) -> tuple[TestRecord | None, float]:
    """The record of a job that passed and how long it took: as it was printed, else as it lies in the workspace.

    key: of the result that this build has of it; a build that did not commit has others than the manifest.
    """
    entry = manifest.jobs.get(job) if manifest else None
    path = entry.outputs[0] if entry else f"{_results(project)}/{job.partition(':')[2]}.json"
    key = key or (entry.key if entry else "")
    hit = project.stores.results.get(key) if key else None
    if hit is not None and (record := parse(record_of(hit.result, project.stores.blobs))):
        return record, hit.result.timings.run
    try:
        return parse((project.settings.root / path).read_bytes()), entry.seconds if entry else 0.0
    except OSError:
        return None, entry.seconds if entry else 0.0


def _results(project: Project) -> str:
    assert project.settings.tests is not None
    return project.settings.tests.results
