"""windrow status, builds, show, diff, events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from cli import render
from cli.options import given_project, project_options, revision_given
from coordinator import refnames
from coordinator.commit.base import read_manifest
from coordinator.history.archive import archived
from coordinator.history.runs import list_runs
from coordinator.project import Project
from coordinator.queries import diff_json, differences, revision, standing, standing_json
from shared import errors
from shared.clock import iso
from shared.errors import DifferencesFound, UsageError
from shared.model.event import ArtefactEvent, Event, InputEvent
from shared.model.manifest import Manifest, revision_name

_TRACEBACK = "Traceback (most recent call last):"


def _manifest(project: Project, text: str | None) -> Manifest:
    """A revision's manifest, or the current one; UsageError that says how to begin when there is none."""
    if text is None:
        base = project.load_base()
        for problem in base.problems:
            render.err(f"warning: {problem}")
        if base.manifest is None:
            name, branch = project.name
            raise UsageError(f"{name}/{branch} has no revision yet", why="nothing was committed", fix="windrow build")
        return base.manifest
    revision_given(text, "--revision")
    return revision(project, text)


@click.command()
@project_options
def status(**given: Any) -> int:
    """Show the current revision, the last build and who holds the lock."""
    project = given_project(given)
    now = standing(project)
    base, last, holder, manifest = now.base, now.last, now.holder, now.base.manifest
    if given["as_json"]:
        render.as_json(standing_json(project, now))
        return 0
    for problem in now.problems:
        render.err(f"warning: {problem}")
    render.out(f"project   {project.name[0]}, branch {project.name[1]}")
    if manifest is None:
        render.out("revision  none yet; `windrow build` makes the first")
    else:
        render.out(f"revision  {revision_name(base.revision)}, {manifest.created_at}, build {manifest.build}")
        sources = render.plural(len(manifest.sources), "source")
        made = render.plural(len(manifest.artefacts), "artefact")
        spent = render.duration(sum(job.seconds for job in manifest.jobs.values()))
        render.out(f"holds     {sources}, {made} of {render.plural(len(manifest.jobs), 'job')} ({spent} of commands)")
    if manifest is not None and (cost := sum(job.cost for job in manifest.jobs.values())):
        spent = f", {last.cost:.2f} for the last build" if last is not None else ""
        render.out(f"cost      {cost:.2f} in all{spent}")
    if manifest is not None and manifest.ingested:
        render.out(f"ingested  {render.plural(len(manifest.ingested), 'file')}")
    if last is not None:
        counts = f"{last.executed} executed, {last.reused} reused, {last.failed} failed, {last.skipped} skipped"
        render.out(f"last      build {last.build} {last.status}: {counts}, {render.duration(last.seconds)}")
        for failure in last.failures:
            told = _telling(failure.log)
            render.out(f"          FAILED {failure.job} (exit {failure.exit_code})" + (f": {told}" if told else ""))
    held = f"held by build {holder.build} ({holder.host}, pid {holder.pid})" if holder else "free"
    render.out(f"lock      {held}")
    return 0


def _telling(log: str) -> str:
    """The line of a failed job's output that tells most: the first that speaks of an error, else the last.

    Of a Python traceback it is the line that names the exception, not one of the code above it.
    """
    lines = log.strip().splitlines() or [""]
    if _TRACEBACK in lines:
        after = lines[len(lines) - lines[::-1].index(_TRACEBACK) :]
        lines = [line for line in after if line[:1].strip()] or lines
    return next((line for line in lines if "error" in line.lower()), lines[-1]).strip()[:200]


@click.command()
@project_options
@click.option("-n", "--limit", type=click.IntRange(1), default=20, help="How many.")
def builds(**given: Any) -> int:
    """List past builds, the latest first."""
    project = given_project(given)
    holder = project.lock().current()
    runs = list_runs(project.stores.refs, *project.name, limit=given["limit"], holder=holder.build if holder else "")
    for problem in runs.problems:
        render.err(f"warning: {problem}")
    if given["as_json"]:
        render.as_json({"schema": "windrow.builds/1", "builds": [msgspec.to_builtins(run) for run in runs.runs]})
        return 0
    rows = [
        (
            r.build,
            r.started,
            r.status,
            r.revision if r.committed else "-",
            str(r.planned),
            str(r.executed),
            str(r.reused),
            str(r.failed),
            render.duration(r.seconds),
        )
        for r in runs.runs
    ]
    head = ("build", "started", "status", "revision", "planned", "executed", "reused", "failed", "took")
    for line in render.table(rows, head=head):
        render.out(line)
    return 0


@click.command()
@project_options
@click.option("--revision", metavar="REV", help="Which revision, e.g. rev-0002 or 2 (default: the current one).")
def show(**given: Any) -> int:
    """Show a revision's manifest."""
    project = given_project(given)
    manifest = _manifest(project, given["revision"])
    if given["as_json"]:
        render.as_json(msgspec.to_builtins(manifest))
        return 0
    was = revision_name(manifest.base_revision) if manifest.base_revision else "none"
    render.out(f"{revision_name(manifest.revision)}  {manifest.created_at}  build {manifest.build}  after {was}")
    render.out(f"content {manifest.content_hash}")
    render.out(f"{render.plural(len(manifest.sources), 'source')}")
    for path, state in manifest.sources.items():
        render.out(f"  {state.hash[:19]}  {render.size(state.size):>7}  {path}")
    if manifest.ingested:
        render.out(f"{render.plural(len(manifest.ingested), 'ingested file')}")
    for path, state in manifest.ingested.items():
        render.out(f"  {state.hash[:19]}  {render.size(state.size):>7}  {path}")
    render.out(f"{render.plural(len(manifest.artefacts), 'artefact')}")
    for path, made in sorted(manifest.artefacts.items()):
        edited = ", then edited by hand" if made.edited else ""
        render.out(f"  {made.hash[:19]}  {render.size(made.size):>7}  {path}  ({made.job}{edited})")
    return 0


@click.command()
@click.argument("range_", metavar="A..B")
@project_options
@click.option("--exit-code", is_flag=True, help="Exit 10 if anything differs.")
def diff(range_: str, **given: Any) -> int:
    """Show what differs between revisions A and B, e.g. rev-0001..rev-0002."""
    project = given_project(given)
    one, dots, two = range_.partition("..")
    if not dots:
        raise click.BadParameter(f"{range_!r} is no range; write rev-0001..rev-0002", param_hint="A..B")
    before, after = _manifest(project, one or None), _manifest(project, two or None)
    found = list(differences(before, after))
    if given["as_json"]:
        render.as_json(diff_json(before, after))
    else:
        for line in _diff_lines(found):
            render.out(line)
    return DifferencesFound.exit_code if found and given["exit_code"] else 0


def diff_lines(project: Project, before: int, after: int) -> Iterator[str]:
    """What a build changed, for `windrow build --diff`; a first revision adds everything."""
    empty = Manifest("", "", 0, {}, {}, {})
    was = read_manifest(project.stores.refs, *project.name, before) if before else empty
    now = read_manifest(project.stores.refs, *project.name, after)
    if was is not None and now is not None:
        yield from _diff_lines(differences(was, now))


def _diff_lines(found: Any) -> Iterator[str]:
    signs = {"added": "+", "removed": "-", "changed": "~"}
    for kind, path, change, was, now in found:
        hashes = " → ".join(hash_[:19] for hash_ in (was, now) if hash_)
        yield f"{signs[change]} {kind:8} {path}  {hashes}"


@click.group()
def events() -> None:
    """Read or append to the event log: an audit of what happened, never the truth."""


@events.command("list")
@project_options
@click.option("--revision", metavar="REV", help="Events archived with a revision (default: those not archived yet).")
def list_(**given: Any) -> int:
    """Print events, one JSON object a line."""
    project = given_project(given)
    if given["revision"]:
        number = revision_given(given["revision"], "--revision")
        found = archived(project.stores.refs, *project.name, number)
        if found is None:
            name = refnames.events(*project.name, number, "inputs")
            raise UsageError(f"no events of {given['revision']} are archived", at=name, fix="windrow builds")
    else:
        found = [entry.event for entry in project.event_log().read()]
    for event in found:
        render.out(msgspec.json.encode(event).decode())
    return 0


@events.command()
@project_options
@click.option("--type", "kind", type=click.Choice(["input", "artefact"]), required=True, help="What kind of event.")
@click.option("--file", "path", type=click.Path(path_type=Path), required=True, help="A JSON object with its fields.")
def append(**given: Any) -> int:
    """Validate an event from a file, append it to the live log and print it as stored.

    With a `payload` it is an edit: the input or artefact holds that from now on, and its digest is the event's.
    """
    project = given_project(given)
    try:
        data = msgspec.json.decode(given["path"].read_bytes())
    except OSError as error:
        raise errors.named(error, given["path"], "reading") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{given['path']} is not JSON", why=str(error)) from error
    if not isinstance(data, dict):
        raise UsageError(f"{given['path']} holds no object")
    if "payload" in data:
        from coordinator.appending import edited  # noqa: PLC0415 - for who edits

        data = edited(project, given["kind"], data)
    fields = {"created_at": iso(project.clock.now()), "build": "manual", **data, "type": given["kind"]}
    fields.setdefault("revision", project.load_base().next_revision)
    kind: type[Event] = InputEvent if given["kind"] == "input" else ArtefactEvent
    try:
        event: Event = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{given['path']} is no {given['kind']} event", why=str(error)) from error
    project.event_log().append([event])
    render.out(msgspec.json.encode(event).decode())
    return 0
