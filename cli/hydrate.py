"""windrow hydrate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli import render
from cli.options import (
    book_options,
    open_book_settings,
    open_project,
    revision_given,
    start_folder,
    wait_option,
    wait_seconds,
)
from coordinator.hydrate.hydrate import CONCURRENCY, HydrateReport, HydrateRequest
from coordinator.hydrate.hydrate import hydrate as run
from coordinator.project import Project
from shared.model.manifest import revision_name

TOLD = 5


@click.command()
@book_options
@click.option("--output-dir", metavar="DIR", help="The folder to bring up to date (default: [hydrate] output_dir).")
@click.option(
    "--state-file",
    "--manifest-file",
    "state_file",
    metavar="FILE",
    help="Where it is noted what was reached (default: [hydrate] state_file).",
)
@click.option("--revision", metavar="REV", help="Which revision, e.g. rev-0002 or 2 (default: the current one).")
@click.option(
    "--scope",
    type=click.Choice(["all", "content", "assets", "artefacts"]),
    default="all",
    help="Ingested files: all, markdown or assets; or what the last build made.",
)
@click.option("--full-rebuild", "--full", "full", is_flag=True, help="Fetch every file, whatever is there.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=CONCURRENCY, help="Files fetched at once.")
@wait_option
@click.option("-v", "--verbose", is_flag=True, help="Tell where files come from and go to.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what is wrong.")
def hydrate(**given: Any) -> int:
    """Bring a folder to what a revision holds: fetch what differs, remove what it has no more."""
    settings = open_book_settings(given)
    start = start_folder(given["directory"])
    project = open_project(settings)
    folder = _path(start, given["output_dir"], settings.root / settings.hydrate.output_dir)
    request = HydrateRequest(
        folder,
        _path(start, given["state_file"], folder / settings.hydrate.state_file),
        scope=given["scope"],
        revision=None if given["revision"] is None else revision_given(given["revision"]),
        full=given["full"],
        wait=wait_seconds(given["wait"]),
        concurrency=given["concurrency"],
    )
    if given["verbose"]:
        render.err(f"from {settings.storage.url or project.stores.local.root} to {request.folder}")
    report = run(project, request)
    for warning in report.warnings:
        render.err(f"warning: {warning}")
    if given["as_json"]:
        render.as_json(told(project, report))
    elif not given["quiet"]:
        for line in lines(report):
            render.out(line)
    return tell_failures(report)


def tell_failures(report: HydrateReport) -> int:
    """Say on stderr what could not be had; the exit code."""
    if not report.failures:
        return 0
    for path, error in report.failures[:TOLD]:
        render.err(f"failed: {path}: {error.what}" + (f" ({error.why})" if error.why else ""))
    if len(report.failures) > TOLD:
        render.err(f"and {len(report.failures) - TOLD:,} more")
    render.err("what could be had is there; the next hydrate fetches the rest")
    return report.failures[0][1].exit_code


def _path(start: Path, given: str | None, default: Path) -> Path:
    return start / Path(given).expanduser() if given else default


def lines(report: HydrateReport) -> list[str]:
    """What came of a hydrate, for people."""
    took, where = render.duration(report.seconds), revision_name(report.revision) if report.revision else "no revision"
    if not (report.downloaded or report.removed or report.failures):
        return [f"{render.plural(report.files, 'file')} up to date ({where}, {took})"]
    failed = f", {len(report.failures):,} failed" if report.failures else ""
    done = f"{report.downloaded:,} downloaded ({render.size(report.bytes)}), {report.removed:,} removed"
    return [f"{done}, {report.unchanged:,} unchanged{failed} ({where}, {took})"]


def told(project: Project, report: HydrateReport) -> dict[str, Any]:
    """The object of `windrow hydrate --json`, schema windrow.hydrate/1."""
    changed = report.downloaded or report.removed
    return {
        "schema": "windrow.hydrate/1",
        "status": "failed" if report.failures else "ok" if changed else "up-to-date",
        "project": project.name[0],
        "branch": project.name[1],
        "revision": revision_name(report.revision) if report.revision else None,
        "manifest_hash": report.manifest_hash,
        "files": report.files,
        "downloaded": report.downloaded,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": len(report.failures),
        "bytes": report.bytes,
        "bytes_down": report.bytes_down,
        "saved": list(report.saved),
        "failures": [{"path": path, "code": error.code, "what": error.what} for path, error in report.failures],
        "seconds": round(report.seconds, 3),
    }
