"""windrow affected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli import render
from cli.options import given_project, project_options
from cli.selection import no_tests, selection_json, selection_lines, tell_ties
from coordinator.plan.explain import sentence
from coordinator.select.selector import Selection
from coordinator.testing import chosen, ties_of_plan
from shared.model.plan import Plan

if TYPE_CHECKING:
    from coordinator.since import Since


@click.command()
@project_options
@click.option("--since", "ref", required=True, metavar="REF", help="rev-0001, or a git branch, tag or commit.")
@click.option("--paths", is_flag=True, help="Print the affected test files alone, one a line.")
@click.option("--explain", metavar="FILE", help="Show by what a test file is affected, or which tests a file affects.")
def affected(ref: str, **given: Any) -> int:
    """Show which jobs and tests are affected by what differs since REF, edits that git does not know included."""
    from coordinator.since import since  # noqa: PLC0415

    project = given_project(given)
    found = since(project, ref)
    mapped = found.graph.tests
    if given["explain"]:
        return _explain_since(found, given["explain"], as_json=given["as_json"])
    selection = chosen(project, found.plan, mapped, sentence) if mapped else Selection()
    changes = found.plan.changes
    tests = set(mapped.jobs.values()) if mapped else set()
    jobs = [job for layer in found.plan.layers for job in layer if job not in tests]
    for warning in found.warnings:
        render.err(f"warning: {warning}")
    if given["as_json"]:
        render.as_json(
            {
                "schema": "windrow.affected/1",
                "since": found.base,
                "changes": {"added": changes.added, "modified": changes.modified, "deleted": changes.deleted},
                "jobs": [
                    {"job": job, "outputs": found.graph.recipes[job].outputs, "reason": _first(found.plan, job)}
                    for job in jobs
                ],
                "tests": selection_json(selection),
            }
        )
    elif given["paths"]:
        for choice in selection.selected:
            render.out(choice.test)
        if not selection.selected:
            render.err(f"no test file is affected by what differs since {found.base}")
    else:
        for kind in ("added", "modified", "deleted"):
            for path in getattr(changes, kind):
                render.out(f"{kind:8}  {path}")
        for job in jobs:
            render.out(f"job       {job}  because {_first(found.plan, job)}")
        if not jobs and not selection.selected:
            why = "no job reads what differs" if changes.sources else "nothing differs"
            render.out(f"nothing is affected: {why} since {found.base}")
        if project.settings.tests:
            for line in selection_lines(selection):
                render.out(line)
    return 0


def _explain_since(found: Since, name: str, *, as_json: bool) -> int:
    mapped = found.graph.tests
    if mapped is None:
        raise no_tests()
    path, ties = ties_of_plan(found.plan, mapped, name, sentence)
    is_test = path in mapped.tests
    if is_test and ties:
        head = f"{path} is affected by {render.plural(len(ties), 'difference')} since {found.base}"
    elif is_test:
        head = f"{path} is not affected: none of its {len(mapped.files_for(path))} files differs since {found.base}"
    else:
        head = f"{path} affects {render.plural(len(ties), 'test file')} by what differs since {found.base}"
    tell_ties(head, path, ties, is_test=is_test, as_json=as_json, since=found.base)
    return 0


def _first(plan: Plan, job: str) -> str:
    return sentence(plan.jobs[job].reasons[0])
