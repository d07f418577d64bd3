"""windrow log."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from cli import render
from cli.options import given_project, project_options


@click.command()
@click.argument("job", required=False)
@project_options
@click.option("--build", "build", metavar="ID", help="Of the failure in this build (default: the latest).")
def log(job: str | None, build: str | None, **given: Any) -> int:
    """Show all that a job (an id or an output) printed; without JOB, what failed jobs of the last build did."""
    from coordinator.joblog import job_logs  # noqa: PLC0415 - records of past builds

    project = given_project(given)
    found = job_logs(project, job, build)
    if given["as_json"]:
        render.as_json({"schema": "windrow.log/1", "logs": [msgspec.to_builtins(one) for one in found]})
        return 0
    if not found:
        render.err("No job failed in the last build; `windrow log JOB` shows what another one printed.")
    for one in found:
        if job is None:
            render.out(f"FAILED  {one.job}  (exit {one.exit_code}, build {one.build})")
        if one.log:
            render.out(one.log)
        if not one.whole:
            render.err(f"warning: {one.job}: not all of what it printed is kept")
    return 0
