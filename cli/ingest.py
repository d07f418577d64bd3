"""windrow ingest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from cli import render
from cli.options import book_options, open_book_settings, open_project, start_folder, wait_option, wait_seconds
from coordinator.ingest.mapping import Mapper
from coordinator.ingest.sync import CONCURRENCY, TOLD, IngestReport, IngestRequest
from coordinator.ingest.sync import ingest as run
from coordinator.project import Project
from shared.errors import UsageError
from shared.model.manifest import revision_name
from shared.settings import Settings


@click.command()
@book_options
@click.option("--source-dir", metavar="DIR", help="The folder of the source (default: [ingest] source_dir).")
@click.option("--profile", type=click.Choice(["part-chapter", "preserve"]), help="Default: [ingest] profile.")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be done; take no lock, write nothing.")
@click.option("--force", is_flag=True, help="Also when more than half of what is there would go.")
@click.option("--verify-hashes", is_flag=True, help="Read every file; trust no time stamp.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=CONCURRENCY, help="Files sent at once.")
@wait_option
@click.option("-v", "--verbose", is_flag=True, help="Name every file.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what is wrong.")
def ingest(**given: Any) -> int:
    """Put the files of a source folder into the store: new, changed and deleted ones, as one revision."""
    settings = open_book_settings(given)
    project = open_project(settings)
    request = request_of(settings, given)
    report = performed(project, request, given["profile"])
    if given["as_json"]:
        render.as_json(told(project, report, dry_run=request.dry_run))
    elif not given["quiet"]:
        for line in lines(report, dry_run=request.dry_run, verbose=given["verbose"]):
            render.out(line)
    return 0


def request_of(settings: Settings, given: dict[str, Any]) -> IngestRequest:
    """What the options of a command ask for; UsageError when no folder is named."""
    named = given["source_dir"] or (settings.ingest.source_dir and str(settings.root / settings.ingest.source_dir))
    if not named:
        raise UsageError("which folder? there is no --source-dir, and no [ingest] source_dir", fix="--source-dir DIR")
    return IngestRequest(
        start_folder(given["directory"]) / Path(named).expanduser(),
        dry_run=given.get("dry_run", False),
        force=given["force"],
        verify=given["verify_hashes"],
        wait=wait_seconds(given["wait"]),
        concurrency=given["concurrency"],
    )


def performed(
    project: Project, request: IngestRequest, profile: Literal["part-chapter", "preserve"] | None
) -> IngestReport:
    """An ingest, with what is odd told on stderr."""
    settings = project.settings.ingest
    report = run(project, request, Mapper(profile or settings.profile, settings.map))
    for warning in (*report.warnings, *report.source.scanned.warnings):
        render.err(f"warning: {warning}")
    _tell_invalid(report)
    return report


def _tell_invalid(report: IngestReport) -> None:
    invalid = report.source.invalid
    for one in invalid[:TOLD]:
        render.err(f"warning: left out {one.source}: {one.error}")
    if len(invalid) > TOLD:
        render.err(f"warning: left out {len(invalid) - TOLD:,} more; --json lists them")


def lines(report: IngestReport, *, dry_run: bool, verbose: bool) -> list[str]:
    """What came of an ingest, for people."""
    delta, source = report.delta, report.source
    said = []
    if verbose or dry_run:
        said += [f"+ {path}" for path in delta.added]
        said += [f"~ {path}" for path in delta.updated]
        said += [f"- {path}" for path in delta.deleted]
    said.append(
        f"{len(delta.added):,} added, {len(delta.updated):,} updated, {len(delta.deleted):,} deleted, "
        f"{delta.unchanged:,} unchanged, {len(source.skipped):,} skipped"
    )
    took = render.duration(report.seconds)
    if dry_run:
        said.append(f"dry run: nothing was written ({took})")
    elif report.revision:
        sent = f"{render.plural(report.sent, 'file')} sent, {render.size(report.bytes)}"
        said.append(f"{revision_name(report.revision)} committed ({sent}, {took})")
    else:
        now = revision_name(report.base_revision) if report.base_revision else "no revision"
        said.append(f"nothing to commit: {now} holds it all ({took})")
    return said


def told(project: Project, report: IngestReport, *, dry_run: bool) -> dict[str, Any]:
    """The object of `windrow ingest --json`, schema windrow.ingest/1."""
    delta, source = report.delta, report.source
    return {
        "schema": "windrow.ingest/1",
        "status": "dry-run" if dry_run else "ok" if report.revision else "no-changes",
        "project": project.name[0],
        "branch": project.name[1],
        "base_revision": revision_name(report.base_revision) if report.base_revision else None,
        "revision": revision_name(report.revision) if report.revision else None,
        "manifest_hash": report.manifest_hash,
        "files": len(source.files),
        "added": len(delta.added),
        "updated": len(delta.updated),
        "deleted": len(delta.deleted),
        "unchanged": delta.unchanged,
        "skipped": len(source.skipped),
        "failed": 0,
        "changes": {"added": list(delta.added), "updated": list(delta.updated), "deleted": list(delta.deleted)},
        "invalid": [{"path": one.source, "code": one.code, "why": one.error} for one in source.invalid],
        "hashed": source.hashed,
        "sent": report.sent,
        "bytes": report.bytes,
        "source_bytes": source.size,
        "seconds": round(report.seconds, 3),
    }
