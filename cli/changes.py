"""windrow changes."""

from __future__ import annotations

from typing import Any

import click

from cli import render
from cli.options import book_options, open_book_settings, open_project
from coordinator.ingest.changes import delta_build, plan_build
from shared.errors import UsageError


@click.command()
@book_options
@click.option("--against", metavar="HASH", help="The state that a client holds, as 64 hex digits.")
@click.option("--since", metavar="WHEN", help="A time in ISO 8601, or a revision, e.g. rev-0003.")
@click.option("--include-content", is_flag=True, help="With --since: the text of each file too.")
def changes(**given: Any) -> int:
    """Show what changed among ingested files: against a state, or since a time; without either, all that is there."""
    if given["against"] is not None and given["since"] is not None:
        raise UsageError("--against and --since are two questions", fix="ask one of them")
    if given["include_content"] and given["since"] is None:
        raise UsageError("--include-content needs --since")
    project = open_project(open_book_settings(given))
    if given["since"] is not None:
        answer = delta_build(project, given["since"], include_content=given["include_content"])
    else:
        answer = plan_build(project, given["against"])
    if given["as_json"]:
        render.as_json({"schema": "windrow.changes/1", **answer})
        return 0
    if "warning" in answer:
        render.err(f"warning: {answer['warning']}")
    for line in _since(answer) if given["since"] is not None else _against(answer):
        render.out(line)
    return 0


def _against(answer: dict[str, Any]) -> list[str]:
    signs = {"added": "+", "modified": "~", "deleted": "-"}
    lines = [f"{signs.get(file.get('change_type', ''), ' ')} {file['path']}" for file in answer["files"]]
    count, total = answer["changed_count"], render.plural(answer["total_files"], "file")
    return [*lines, f"{count:,} to change, {total} in {answer['manifest_hash']}"]


def _since(answer: dict[str, Any]) -> list[str]:
    lines = [f"~ {file['path']}  {file['last_modified']}" for file in answer["changed_files"]]
    lines += [f"- {path}" for path in answer["deleted_files"]]
    return [*lines, f"{answer['changed_count']:,} changed, {answer['deleted_count']:,} deleted since {answer['since']}"]
