"""Records what each test file executes, and keeps that in the tree, where the test map is made with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import msgspec

from coordinator.importers.pytests.recipes import recorded_at
from coordinator.importers.pytests.recorded import Recorded, merged, parse, written
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.request import Request
from coordinator.testing import typed
from shared.atomic import write_atomic
from shared.errors import UsageError, named
from shared.model.tests import COVERAGE_RULE, TestMap
from shared.settings import TestSettings


class Recording(NamedTuple):
    """What came of it: the build, the test files that were recorded, and files that only this told some test needs."""

    report: BuildReport
    tests: tuple[str, ...]
    found: int
    path: str


def record(
    project: Project, names: Collection[str], request: Request, run: Callable[[Request], BuildReport]
) -> Recording:
    """Run tests under coverage with all code there is; keep of those that passed what they executed.

    names: test files, folders of them or globs, none for all. run: performs a build. UsageError without
    `[tests] coverage`; raises what a build does. Nothing is committed.
    """
    settings = project.settings.tests
    assert settings is not None
    if not settings.coverage:
        raise UsageError(
            "there is no file to keep the recording in",
            at=settings.at,
            fix='[tests] coverage = "tests/coverage.json"; commit it with the tests',
        )
    project.recording = True
    try:
        targets = tuple(_target(project, settings, name) for name in names) or (COVERAGE_RULE,)
        report = run(msgspec.structs.replace(request, targets=targets, failures=0, commit=False))
    finally:
        project.recording = False
    assert report.tests is not None
    before = _kept(project, settings)
    now = dict(_executed(project, settings, report, report.tests))
    after = merged(before, now, report.tests.tests)
    if after != before or not (project.settings.root / settings.coverage).exists():
        write_atomic(project.settings.root / settings.coverage, written(after), durable=False)
    found = sum(len(set(files).difference(report.tests.files_for(test))) for test, files in now.items())
    return Recording(report, tuple(now), found, settings.coverage)


def _target(project: Project, settings: TestSettings, name: str) -> str:
    return recorded_at(settings, typed(project.settings.root, name))


def _kept(project: Project, settings: TestSettings) -> Recorded:
    path = project.settings.root / settings.coverage
    try:
        return parse(path.read_bytes(), settings.coverage)
    except FileNotFoundError:
        return Recorded()
    except OSError as error:
        raise named(error, path, "reading") from error


def _executed(
    project: Project, settings: TestSettings, report: BuildReport, tests: TestMap
) -> Iterable[tuple[str, tuple[str, ...]]]:
    for test in tests.tests:
        hash_ = report.made.get(recorded_at(settings, test))
        if hash_ is not None:
            yield test, msgspec.json.decode(project.stores.blobs.get(hash_), type=tuple[str, ...])
