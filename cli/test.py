"""windrow test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import render
from cli.build import exit_code, make_progress, tell
from cli.options import open_project, open_settings, project_options, wait_option, wait_seconds
from cli.performers import PERFORMERS
from cli.selection import no_tests, selection_json, selection_lines, tell_ties
from coordinator import build as building
from coordinator.joining import joined
from coordinator.plan.explain import sentence
from coordinator.project import Project
from coordinator.report import BuildReport, InterruptedBuild
from coordinator.request import Request
from coordinator.testing import TestFile, chosen, results, typed
from shared.errors import TestsFailed, UnknownTarget

if TYPE_CHECKING:
    from coordinator.recording import Recording


@click.command()
@click.argument("tests", nargs=-1, metavar="[TEST]...")
@project_options
@click.option("-j", "--jobs", type=click.IntRange(1), help="Jobs at once when they run here (default: cores).")
@click.option("--run-all-tests", is_flag=True, help="Run every test, whatever changed and whatever is stored.")
@click.option(
    "--record-coverage",
    is_flag=True,
    help="Run the tests under coverage.py and keep in the file of [tests] coverage what each of them executes.",
)
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first test file that fails.")
@click.option("--dry-run", "-n", is_flag=True, help="Show which tests would run and why, and why not the others.")
@click.option("--explain", metavar="FILE", help="Show what a test file depends on, or which tests depend on a file.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit XML report to this file.")
@wait_option
@click.option("--strict-remote", is_flag=True, help="Fail when the farm is away, also where jobs could run here.")
@click.option("-v", "--verbose", is_flag=True, help="Show skipped tests and started jobs too.")
@click.option("-q", "--quiet", is_flag=True, help="Show failures and the result only.")
def test(tests: tuple[str, ...], **given: Any) -> int:
    """Build, and run the tests that what changed can affect. Exits 3 when nothing failed but tests.

    TEST is a test file, a folder of them, or a glob, from the project's root; without one, all that are affected.
    """
    settings = open_settings(given["directory"], {k: given[k] for k in ("branch", "project", "jobs")})
    if settings.tests is None:
        raise no_tests()
    project = open_project(settings, PERFORMERS)
    targets = {typed(settings.root, name): name for name in tests}
    request = Request(
        targets=tuple(targets),
        failures=1 if given["fail_fast"] else 0,
        wait=wait_seconds(given["wait"]),
        all_tests=given["run_all_tests"],
    )
    if given["explain"]:
        return _explain(project, given["explain"], as_json=given["as_json"])
    with _named_as_tests(targets):
        return _run(project, tests, request, given)


@contextmanager
def _named_as_tests(names: Mapping[str, str]) -> Iterator[None]:
    """Say of a name that means nothing what would have been a test, not what would have been an output.

    names: what was typed, by the target that it was taken for.
    """
    try:
        yield
    except UnknownTarget as error:
        if not names:
            raise
        what = error.what.replace("no target", "no test file")
        for target, name in names.items():
            what = what.replace(f"'{target}'", f"'{name}'")
        why = "TEST is a test file, a folder of them, or a glob, from the project's root"
        fix = error.fix if error.fix.startswith("did you mean") else "windrow test --dry-run lists the test files"
        if any("::" in name for name in names.values()):
            why, fix = "a test file is the least that runs", "leave out what follows `::`"
        raise UnknownTarget(what, why=why, fix=fix) from error


def _run(project: Project, tests: tuple[str, ...], request: Request, given: dict[str, Any]) -> int:
    if given["dry_run"]:
        return _look(project, request, as_json=given["as_json"])
    if given["record_coverage"]:
        return _record(project, tests, request, given)
    try:
        report = _built(project, request, given)
    except InterruptedBuild as error:
        _tell_tests(project, error.report, given)
        render.err(render.error_text(error))
        error.told = True
        raise
    _tell_tests(project, report, given)
    return exit_code(project, report)


def _tell_tests(project: Project, report: BuildReport, given: dict[str, Any]) -> None:
    """Say how each test file came out, also of a run that was interrupted."""
    selection = chosen(project, report.plan, report.tests, sentence)
    files = results(project, report, selection)
    if given["junit"]:
        from cli.junit import write  # noqa: PLC0415

        write(given["junit"], files)
        _warn_of_source(project, given["junit"])
    if given["as_json"]:
        render.as_json({**report.as_json(), "schema": "windrow.test-run/1", "tests": tests_json(files)})
    else:
        tell(project, report, as_json=False, quiet=given["quiet"], diff=False)
        if given["verbose"]:
            for choice in selection.skipped:
                render.err(f"skipped {choice.test}: {choice.reason}")
        render.out(_headline(files))


def _warn_of_source(project: Project, report: Path) -> None:
    """Say so where a report is one of the sources: it is another file after each run."""
    from coordinator.scan.walk import leaves_out  # noqa: PLC0415

    root, path = project.settings.root.resolve(), report.resolve()
    if not path.is_relative_to(root):
        return
    name = path.relative_to(root).as_posix()
    if not leaves_out(str(root), name, project.settings.ignore):
        render.err(
            f"warning: {name} lies among the sources, and every test that may read it runs again; "
            "add it to .gitignore, or write it elsewhere"
        )


def _built(project: Project, request: Request, given: dict[str, Any]) -> BuildReport:
    from cli import fallback  # noqa: PLC0415

    progress = make_progress(verbose=given["verbose"], quiet=given["quiet"])
    try:
        return fallback.build(project, request, progress, strict=given["strict_remote"])
    finally:
        progress.close()


def _record(project: Project, tests: tuple[str, ...], request: Request, given: dict[str, Any]) -> int:
    from coordinator.recording import Recording, record  # noqa: PLC0415

    settings = project.settings.tests
    assert settings is not None
    try:
        done = record(project, tests, request, lambda asked: _built(project, asked, given))
    except InterruptedBuild as error:
        if given["as_json"]:
            _tell_recording(Recording(error.report, (), 0, settings.coverage))
        else:
            tell(project, error.report, as_json=False, quiet=given["quiet"], diff=False)
            render.out(f"nothing recorded in {settings.coverage}; tests that were run are not run again for it")
        render.err(render.error_text(error))
        error.told = True
        raise
    report = done.report
    if given["as_json"]:
        _tell_recording(done)
    else:
        if report.status == "failed":
            tell(project, report, as_json=False, quiet=given["quiet"], diff=False)
        render.out(
            f"{render.plural(len(done.tests), 'test file')} recorded in {done.path}; "
            f"{render.plural(done.found, 'file')} that no import leads to"
        )
    return TestsFailed.exit_code if report.failures else 0


def _tell_recording(done: Recording) -> None:
    told = {"file": done.path, "recorded": list(done.tests), "found": done.found}
    render.as_json({**done.report.as_json(), "schema": "windrow.test-coverage-run/1", **told})


def _look(project: Project, request: Request, *, as_json: bool) -> int:
    seen = building.look(project, request)
    selection = chosen(project, seen.plan, seen.graph.tests if seen.graph else None, sentence)
    if as_json:
        render.as_json({"schema": "windrow.tests/1", **selection_json(selection)})
        return 0
    for warning in (*seen.base.problems, *seen.warnings):
        render.err(f"warning: {warning}")
    for line in selection_lines(selection):
        render.out(line)
    return 0


def _explain(project: Project, name: str, *, as_json: bool) -> int:
    from coordinator.select.ties import ties  # noqa: PLC0415

    seen = building.look(project, Request())
    mapped = (seen.graph or joined(project, seen.snapshot, seen.manifest)).tests
    assert mapped is not None
    path, found = ties(mapped, name)
    is_test = path in mapped.tests
    if is_test:
        head = f"{path} depends on {render.plural(len(found), 'file')}"
    else:
        head = f"{render.plural(len(found), 'test file')} may come out otherwise when {path} changes"
    tell_ties(head, path, found, is_test=is_test, as_json=as_json)
    return 0


def tests_json(files: list[TestFile]) -> list[dict[str, Any]]:
    """`tests` of windrow.test-run/1."""
    told = []
    for file in files:
        record = file.record
        told.append(
            {
                "test": file.test,
                "how": file.how,
                "from_cache": file.from_cache,
                "reason": file.reason,
                "success": record.success if record else file.how not in ("failed", "not run"),
                "passed": record.passed if record else 0,
                "failed": record.failed if record else 0,
                "total": record.total if record else 0,
                "duration": round(file.seconds, 3),
                "test_command": record.test_command if record else "",
                "tests": record.tests if record else {},
            }
        )
    return told


def _headline(files: list[TestFile]) -> str:
    by = {how: [file for file in files if file.how == how] for how in ("passed", "failed", "skipped", "not run")}
    ran = by["passed"] + by["failed"]
    counts = [file.record for file in ran if file.record]
    text = f"{len(ran)} of {render.plural(len(files), 'test file')}: "
    text += f"{sum(c.passed for c in counts)} passed, {sum(c.failed for c in counts)} failed"
    if cached := sum(file.from_cache for file in files):
        text += f"; {render.plural(cached, 'file')} from the cache"
    if by["skipped"]:
        text += f"; {render.plural(len(by['skipped']), 'file')} skipped: nothing they depend on changed"
    if by["not run"]:
        text += f"; {render.plural(len(by['not run']), 'file')} not run"
    return text
