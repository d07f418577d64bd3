"""windrow sync."""

from __future__ import annotations

from typing import Any

import click

from cli import hydrate as hydrating
from cli import ingest as ingesting
from cli import render
from cli.build import exit_code, make_progress, tell
from cli.options import open_project, open_settings, project_options, wait_option, wait_seconds
from cli.performers import PERFORMERS
from coordinator import build as building
from coordinator.hydrate.hydrate import HydrateReport, HydrateRequest
from coordinator.hydrate.hydrate import hydrate as fetch
from coordinator.ingest.sync import CONCURRENCY
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.request import Request


@click.command()
@project_options
@click.option("--source-dir", metavar="DIR", help="The folder of the source (default: [ingest] source_dir).")
@click.option("--profile", type=click.Choice(["part-chapter", "preserve"]), help="Default: [ingest] profile.")
@click.option("--force", is_flag=True, help="Also when more than half of what is there would go.")
@click.option("--verify-hashes", is_flag=True, help="Read every file; trust no time stamp.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=CONCURRENCY, help="Files moved at once.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Jobs at once when they run here (default: cores).")
@click.option("-k", "--keep-going", is_flag=True, help="Go on past a failed job with what does not need it.")
@wait_option
@click.option("-v", "--verbose", is_flag=True, help="Name every file and every job.")
@click.option("-q", "--quiet", is_flag=True, help="Show failures only.")
def sync(**given: Any) -> int:
    """Ingest the source folder, hydrate this one, and build: `ingest`, `hydrate` and `build` in one command.

    Each step begins when the one before has done all of its work; the first that has not says so in the exit code.
    """
    settings = open_settings(given["directory"], {k: given[k] for k in ("branch", "project", "jobs")})
    project = open_project(settings, PERFORMERS)
    put = ingesting.performed(project, ingesting.request_of(settings, given), given["profile"])
    said = ingesting.told(project, put, dry_run=False)
    _say(given, ingesting.lines(put, dry_run=False, verbose=given["verbose"]))
    got = _hydrated(project, given)
    _say(given, hydrating.lines(got))
    code, built = hydrating.tell_failures(got), None
    if code == 0:
        built = _built(project, given)
        code = exit_code(project, built)
    if given["as_json"]:
        steps = {"ingest": said, "hydrate": hydrating.told(project, got), "build": built.as_json() if built else None}
        render.as_json({"schema": "windrow.sync/1", **steps})
    elif built is not None:
        tell(project, built, as_json=False, quiet=given["quiet"], diff=False)
    return code


def _say(given: dict[str, Any], lines: list[str]) -> None:
    if not given["as_json"] and not given["quiet"]:
        for line in lines:
            render.out(line)


def _hydrated(project: Project, given: dict[str, Any]) -> HydrateReport:
    settings = project.settings
    folder = settings.root / settings.hydrate.output_dir
    request = HydrateRequest(
        folder,
        folder / settings.hydrate.state_file,
        wait=wait_seconds(given["wait"]),
        concurrency=given["concurrency"],
    )
    report = fetch(project, request)
    for warning in report.warnings:
        render.err(f"warning: {warning}")
    return report


def _built(project: Project, given: dict[str, Any]) -> BuildReport:
    mode = project.settings.mode
    request = Request(
        full=mode == "full",
        no_cache=mode == "clean",
        verify=given["verify_hashes"],
        failures=0 if given["keep_going"] else 1,
        wait=wait_seconds(given["wait"]),
    )
    progress = make_progress(verbose=given["verbose"], quiet=given["quiet"])
    try:
        return building.build(project, request, progress)
    finally:
        progress.close()
