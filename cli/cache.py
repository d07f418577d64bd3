"""windrow cache stats, verify, gc."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from cli import render
from cli.options import given_project, project_options
from shared.errors import DifferencesFound
from shared.storage import collect


@click.group()
def cache() -> None:
    """Statistics, verification and collection of stored results."""


@cache.command(short_help="Show what the store holds.")
@project_options
def stats(**given: Any) -> int:
    """Show what the store holds: every project that shares it, and the copy on this machine."""
    project = given_project(given)
    found = collect.stats(project.stores)
    if given["as_json"]:
        render.as_json({"schema": "windrow.cache-stats/1", **msgspec.to_builtins(found)})
        return 0
    where = project.settings.storage.url or str(project.settings.cache_dir / "store")
    render.out(f"store      {where}")
    render.out(f"blobs      {found.blobs:,}, {render.size(found.bytes)}")
    render.out(f"results    {found.results:,}")
    render.out(f"revisions  {found.revisions:,} on {render.plural(found.branches, 'branch')}")
    if project.stores.remote:
        render.out(f"local copy {found.local_blobs:,} blobs, {render.size(found.local_bytes)}")
    if found.hits or found.misses:
        render.out(f"hit rate   {found.hit_rate:.0%}: {found.hits:,} jobs reused, {found.misses:,} run, in kept builds")
    for kind, of_kind in found.by_kind.items():
        jobs, took = render.plural(of_kind.jobs, "job"), render.duration(of_kind.seconds)
        render.out(f"{kind:10} {jobs}, {render.size(of_kind.bytes)}, {took} when they ran")
    for name, one in found.by_project.items():
        held = f"{render.plural(one.revisions, 'revision')}, {render.plural(one.jobs, 'job')}, {render.size(one.bytes)}"
        render.out(f"project    {name}: {held}; {one.hits:,} reused, {one.misses:,} run")
    if found.blobs:
        render.out(f"oldest     unused for {found.oldest / 86400:.1f} days")
    return 0


@cache.command(short_help="Read every blob, and check what names it.")
@project_options
@click.option("--repair", is_flag=True, help="Drop what is damaged, so that the next build makes it again.")
def verify(**given: Any) -> int:
    """Read every blob and check that what revisions and results name is there; exit 10 if something is not."""
    project = given_project(given)
    found = collect.verify(project.stores, repair=given["repair"])
    if given["as_json"]:
        render.as_json({"schema": "windrow.cache-verify/1", **msgspec.to_builtins(found)})
    else:
        for name in ("corrupt", "missing", "dangling", "unreadable"):
            for item in getattr(found, name):
                render.out(f"{name:10} {item}")
        verdict = "damage found" if found else "all is well"
        render.out(f"{found.blobs:,} blobs, {render.size(found.bytes)} read; {verdict}")
        if found:
            done = "dropped what was damaged; " if found.repaired else ""
            render.out(f"{done}`windrow build --full` makes again what is missing")
    return DifferencesFound.exit_code if found else 0


@cache.command(short_help="Remove what was not used for long.")
@project_options
@click.option("--dry-run", "-n", is_flag=True, help="Show what would go; remove nothing.")
@click.option("--keep", type=click.IntRange(1), help="Revisions to keep a branch (default: the setting, 20).")
@click.option("--window", type=float, metavar="DAYS", help="Days since the last use that a result stays.")
def gc(**given: Any) -> int:
    """Remove what no kept revision names and nobody used within the window."""
    project = given_project(given)
    settings = project.settings
    if given["window"] is not None and not given["window"] >= 0:
        raise click.BadParameter("give a number of days, 0 or more", param_hint="--window")
    window = settings.cache_window if given["window"] is None else given["window"] * 86400
    report = collect.collect(
        project.stores,
        keep_revisions=given["keep"] or settings.keep_revisions,
        window=window,
        max_bytes=settings.cache_max_bytes,
        dry_run=given["dry_run"],
    )
    if given["as_json"]:
        render.as_json({"schema": "windrow.cache-gc/1", **msgspec.to_builtins(report)})
        return 0
    verb = "would remove" if report.dry_run else "removed"
    render.out(
        f"{verb} {report.blobs_removed:,} of {report.blobs:,} blobs ({render.size(report.bytes_removed)}), "
        f"{report.results_removed:,} of {report.results:,} results, "
        f"{report.revisions_removed:,} of {report.revisions:,} revisions"
    )
    if report.trees_removed:
        render.out(f"{verb} {report.trees_removed:,} records of ingested states that no kept revision holds")
    if report.runs_removed:
        render.out(f"{verb} {render.plural(report.runs_removed, 'record')} of builds")
    if report.local_blobs_removed:
        local = f"{report.local_blobs_removed:,} blobs ({render.size(report.local_bytes_removed)})"
        render.out(f"{verb} {local} of the local copy")
    return 0
