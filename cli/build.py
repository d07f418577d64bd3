"""windrow build, plan, why, graph."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
import msgspec

from cli import render
from cli.edits import edit_option, pend_edits
from cli.options import given_project, open_project, open_settings, project_options, wait_option, wait_seconds
from cli.performers import PERFORMERS
from cli.progress_lines import LineProgress
from coordinator import build as building
from coordinator import rest
from coordinator.joining import joined
from coordinator.plan.explain import sentence
from coordinator.plan.planner import up_to
from coordinator.project import Project
from coordinator.report import BuildReport, InterruptedBuild
from coordinator.request import Request
from shared.errors import BuildFailed, DifferencesFound, TestsFailed, UsageError
from shared.model.plan import Plan, PlannedJob
from shared.model.tests import TEST_RULE

Progress = Any  # LineProgress or LiveProgress: BuildObserver with close()


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@project_options
@click.option("-j", "--jobs", type=click.IntRange(1), help="Jobs at once when they run here (default: cores).")
@click.option("-k", "--keep-going", is_flag=True, help="Go on past a failed job with what does not need it.")
@click.option("--incremental", is_flag=True, help="Run only what is out of date (the default).")
@click.option(
    "--full",
    "--full-rebuild",
    "--force-full-rebuild",
    "--force-rebuild",
    "full",
    is_flag=True,
    help="Plan every job; results that still fit are reused.",
)
@click.option("--no-cache", is_flag=True, help="Plan and execute every job.")
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan; take no lock, write nothing.")
@click.option("--check", is_flag=True, help="Exit 10 if anything is out of date; run nothing.")
@click.option("--up-to-layer", type=click.IntRange(0), metavar="N", help="Stop after layer N (from 0); no commit.")
@click.option("--schedule", type=click.Choice(["ready", "layers"]), default="ready", help="Or strict layers.")
@wait_option
@click.option("--timeout", type=float, metavar="SECONDS", help="Give the build up after this long.")
@click.option("--diff", "show_diff", is_flag=True, help="Show which artefacts the new revision changed.")
@click.option("--require-cached", is_flag=True, help="Fail a job that no stored result fits.")
@click.option("--strict-remote", is_flag=True, help="Fail when the farm is away, also where jobs could run here.")
@click.option(
    "--download",
    type=click.Choice(["all", "targets", "none"]),
    default="all",
    help="Which outputs to write here ([ninja] builds); the others stay in the store.",
)
@edit_option
@click.option("--verify-hashes", is_flag=True, help="Read every file; trust no time stamp.")
@click.option("-v", "--verbose", is_flag=True, help="Show cache hits and started jobs too.")
@click.option("-q", "--quiet", is_flag=True, help="Show failures only.")
def build(targets: tuple[str, ...], **given: Any) -> int:
    """Build what is out of date and commit the new revision.

    TARGET is an output, a rule's name, or a glob over outputs; without one, everything.
    """
    settings = open_settings(given["directory"], {k: given[k] for k in ("branch", "project", "jobs")})
    # Where every build is a full one, whether anything is out of date is a question all the same.
    mode = "incremental" if given["incremental"] or given["check"] else settings.mode
    if given["full"] and given["incremental"]:
        raise UsageError("--full and --incremental contradict each other", fix="leave one of them out")
    if given["timeout"] is not None and not given["timeout"] > 0:
        raise click.BadParameter("give a number of seconds above 0", param_hint="--timeout")
    request = Request(
        targets=targets,
        full=given["full"] or mode == "full",
        no_cache=given["no_cache"] or mode == "clean",
        verify=given["verify_hashes"],
        failures=0 if given["keep_going"] else 1,
        up_to_layer=given["up_to_layer"],
        schedule=given["schedule"],
        wait=wait_seconds(given["wait"]),
        timeout=given["timeout"],
        require_cached=given["require_cached"],
        download=given["download"],
        typed=rest.typed(".", targets),
    )
    from cli import fallback  # noqa: PLC0415

    project = open_project(settings, PERFORMERS)
    pend_edits(project, given["edits"])
    if given["dry_run"] or given["check"]:
        return _look(project, request, check=given["check"], as_json=given["as_json"])
    progress = make_progress(verbose=given["verbose"], quiet=given["quiet"])
    try:
        report = fallback.build(project, request, progress, strict=given["strict_remote"])
    except InterruptedBuild as error:
        progress.close()
        tell(project, error.report, as_json=given["as_json"], quiet=given["quiet"], diff=False)
        render.err(render.error_text(error))
        error.told = True
        raise
    finally:
        progress.close()
    tell(project, report, as_json=given["as_json"], quiet=given["quiet"], diff=given["show_diff"])
    return exit_code(project, report)


def exit_code(project: Project, report: BuildReport) -> int:
    """0, 1 when a job failed, 3 when nothing failed but tests."""
    if report.status != "failed":
        return 0
    only_tests = project.settings.tests is not None and all(one.rule == TEST_RULE for one in report.failures)
    return TestsFailed.exit_code if only_tests and report.failures else BuildFailed.exit_code


def make_progress(*, verbose: bool, quiet: bool) -> Progress:
    """What shows how a build goes: lines, or a display on a terminal."""
    able = (os.environ.get("TERM") or "dumb") not in ("dumb", "unknown")
    lively = able and sys.stderr.isatty() and not os.environ.get("CI")
    if quiet or not lively:
        return LineProgress(verbose=verbose, quiet=quiet)

    def live() -> Progress:
        from cli.progress_live import LiveProgress  # noqa: PLC0415 - rich, and only when there is something to show

        return LiveProgress(verbose=verbose)

    return LazyLive(live)


def tell(project: Project, report: BuildReport, *, as_json: bool, quiet: bool, diff: bool) -> None:
    """Say what came of a build."""
    if as_json:
        render.as_json(report.as_json())
        return
    from cli.summary import lines  # noqa: PLC0415

    say = render.out if report.status == "no-changes" else render.err
    for line in lines(report) if not quiet or report.status == "failed" else ():
        say(line)
    if diff and report.revision:
        from cli.history import diff_lines  # noqa: PLC0415

        for line in diff_lines(project, report.base_revision, report.revision):
            render.out(line)


def _look(project: Project, request: Request, *, check: bool, as_json: bool) -> int:
    seen = building.look(project, request)
    if seen.remade:
        render.err(f"warning: {seen.remade}: a build makes its build file anew first; this is the plan of the old one")
    seen = msgspec.structs.replace(seen, plan=up_to(seen.plan, request.up_to_layer))
    if as_json:
        from coordinator.queries import plan_json  # noqa: PLC0415 - records of past builds

        render.as_json(plan_json(seen))
    else:
        for line in plan_lines(seen.plan):
            render.out(line)
    for warning in (*seen.base.problems, *seen.warnings):
        render.err(f"warning: {warning}")
    if check and (seen.plan or seen.remade):
        return DifferencesFound.exit_code
    return 0


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@project_options
@click.option("--full", is_flag=True, help="As if nothing had been built.")
@click.option("--exit-code", is_flag=True, help="Exit 10 if there is anything to do.")
@edit_option
@click.option("--save", is_flag=True, help="Keep the plan among the project's runs.")
def plan(targets: tuple[str, ...], **given: Any) -> int:
    """Show what a build would run, in layers, and why. Takes no lock and runs nothing."""
    project = given_project(given)
    pend_edits(project, given["edits"])
    request = Request(targets=targets, full=given["full"] or project.settings.mode != "incremental")
    code = _look(project, request, check=given["exit_code"], as_json=given["as_json"])
    if given["save"]:
        from coordinator.history.runs import plan_record, save_plan  # noqa: PLC0415

        seen = building.look(project, request)
        if seen.plan and seen.graph is not None:
            revision = seen.base.next_revision
            record = plan_record(seen.plan, seen.graph, revision)
            render.err(f"saved as {save_plan(project.stores.refs, *project.name, revision, record)}")
    return code


def plan_lines(plan: Plan) -> list[str]:
    """The plan for people: layers with their jobs and the first reason of each."""
    if not plan:
        return ["No changes detected."]
    jobs, layers = render.plural(len(plan.jobs), "job"), render.plural(len(plan.layers), "layer")
    lines = [f"{jobs} in {layers}, {len(plan.preserved)} unchanged"]
    for number, layer in enumerate(plan.layers):
        lines.append(f"layer {number}  {render.plural(len(layer), 'job')}")
        lines += [f"  {id_}  because {_first(plan.jobs[id_])}" for id_ in layer]
    lines += [f"remove {path}" for path in plan.removed]
    if plan.changes.sources and not plan.jobs:
        count = len(plan.changes.added) + len(plan.changes.modified) + len(plan.changes.deleted)
        lines.append(f"{render.plural(count, 'changed file')} that no job reads; a new revision would record it")
    if plan.estimated_seconds:
        lines.append(f"expected {render.duration(plan.estimated_seconds)} along the critical path")
    return lines


def _first(job: PlannedJob) -> str:
    more = f" (and {len(job.reasons) - 1} more)" if len(job.reasons) > 1 else ""
    return sentence(job.reasons[0]) + more


@click.command()
@click.argument("target")
@project_options
@click.option("--full", is_flag=True, hidden=True)
def why(target: str, **given: Any) -> int:
    """Explain why TARGET would run now or, when it is up to date, why it last ran."""
    from coordinator.queries import why_json  # noqa: PLC0415 - records of past builds

    project = given_project(given)
    answer = why_json(project, building.look(project, Request(full=given["full"])), target)
    if given["as_json"]:
        render.as_json(answer)
        return 0
    if answer["state"] == "out-of-date":
        render.out(f"{target} is out of date.")
    elif "planned_for" in answer:
        render.out(f"{target} is up to date; it was last planned for {answer['planned_for']}.")
    else:
        render.out(f"{target} is up to date; no kept build ran {answer['job']}.")
    for line in answer.get("chain", ()):
        render.out("  " * line["depth"] + line["text"])
    return 0


@click.command()
@project_options
def graph(**given: Any) -> int:
    """Show every job the rules make, with its files and its layer."""
    project = given_project(given)
    made = joined(project, building.look(project, Request()).snapshot)
    if given["as_json"]:
        jobs = [
            {
                "job": recipe.id,
                "rule": recipe.rule,
                "layer": made.depth[recipe.id],
                "command": list(recipe.argv),
                "inputs": list(recipe.inputs),
                "candidates": list(recipe.candidates),
                "outputs": list(recipe.outputs),
                "needs": list(made.dependencies[recipe.id]),
            }
            for recipe in made.recipes.values()
        ]
        render.as_json({"schema": "windrow.graph/1", "platform": made.platform, "jobs": jobs})
        return 0
    for recipe in made.recipes.values():
        render.out(f"{made.depth[recipe.id]}  {recipe.id}  <- {' '.join(recipe.inputs)}")
    return 0


class LazyLive:
    """Starts the terminal display at the first thing to show: a build with nothing to do imports no rich."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)

    def close(self) -> None:
        """Take the display off the screen, if it was ever on."""
        if self._made is not None:
            self._made.close()
