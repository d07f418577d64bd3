"""windrow ninja and windrow-ninja: ninja's own flags, on Windrow."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cli import render
from cli.ninja_options import Fatal, Options, options_of
from cli.ninja_project import open_build_folder
from cli.performers import PERFORMERS
from coordinator import rest
from coordinator.importers.ninja.spelling import canonical
from coordinator.project import Project
from coordinator.request import Request
from shared.clock import SystemClock
from shared.errors import GraphError, Interrupted, RemakingFailed, UnknownTarget, UsageError, named
from shared.model.graph import Recipe
from shared.settings import Settings

if TYPE_CHECKING:
    from cli.progress_ninja import NinjaProgress
    from coordinator.importers.ninja.lookup import Lookup
    from coordinator.report import BuildReport

_OBJECTS = 100_000  # made and not yet freed, until cycles are looked for
# Errors that ninja tells of without a place.
_OF_THE_GRAPH = re.compile("^dependency cycle|missing and no known rule")


def program() -> NoReturn:
    """The console script `windrow-ninja`."""
    from cli.ends import ends_well, last_words  # noqa: PLC0415

    # A build makes few cycles and is soon over: to look for them as often as Python does takes a thirtieth of its time.
    gc.set_threshold(_OBJECTS)
    code = last_words(ends_well(lambda: run(sys.argv[1:]), sys.argv[1:]))
    # The build has cleared up after itself. To take the interpreter apart would cost a tenth of a short build.
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Do what ninja would be asked to; the exit code, which is ninja's for what cannot be done as asked."""
    try:
        return _run(arguments)
    except (KeyboardInterrupt, Interrupted):
        render.out("ninja: build stopped: interrupted by user.")
        return Interrupted.exit_code
    except RemakingFailed as error:
        if error.interrupted:
            render.err(f"ninja: error: rebuilding '{error.outputs[0]}': interrupted by user")
        elif error.outputs:
            render.out(f"FAILED: [code={error.ended_with}] {' '.join(error.outputs)} \n{error.command}")
            render.err(f"ninja: error: rebuilding '{error.outputs[0]}': subcommand failed")
        else:
            render.err(f"ninja: error: {error.what}\n  why: {error.why}\n  fix: {error.fix}")
        return 1
    except UsageError as error:
        # Tools that start ninja look at its words, and expect 1 whatever is wrong.
        guess = f", {error.fix}" if error.fix.startswith("did you mean") else ""
        kind = "fatal" if isinstance(error, Fatal) else "error"
        render.err(f"ninja: {kind}: {_located(error)}{guess}")
        for name, text in (("why", error.why), ("fix", "" if guess else error.fix)):
            if text:
                render.err(f"  {name}: {text}")
        return 1


def _located(error: UsageError) -> str:
    place = error.at.rpartition(":")
    if not place[0] or not place[2].isdecimal() or _OF_THE_GRAPH.search(error.what):
        return error.what
    return f"{error.at}: {error.what}"


def _run(arguments: Sequence[str]) -> int:
    options = options_of(arguments)
    if isinstance(options, int):
        return options
    if options.tool:
        from cli.ninja_tools import list_tools, require_tool, restat  # noqa: PLC0415

        if options.tool == "list":
            return list_tools()
        require_tool(options.tool)
        if options.tool == "restat":
            return restat(options.targets)  # asks for no build file, like ninja's
    folder = Path(options.directory)
    if options.directory:
        # As ninja says it, for editors that make paths of what follows.
        if not options.tool and not options.quiet:
            render.out(f"ninja: Entering directory `{options.directory}'")
        try:
            os.chdir(folder)
        except OSError as error:
            raise Fatal(f"chdir to '{options.directory}' - {error.strerror}", at=options.directory) from error
    settings = open_build_folder(Path.cwd(), options.file, flags={"jobs": options.jobs}, environ=os.environ)
    if options.tool:
        from cli.ninja_tools import run_tool  # noqa: PLC0415

        return run_tool(options, settings)
    return _build(settings, options)


def _build(settings: Settings, options: Options) -> int:
    project = Project(settings, environ=os.environ, clock=SystemClock(), performers=PERFORMERS)
    project.most_load = options.load
    try:
        return _build_in(project, options)
    except GraphError:
        _look_for_cycles(project, options)
        raise


def _look_for_cycles(project: Project, options: Options) -> None:
    """Raise what ninja says of a graph that goes in circles: with the paths as the build file has them."""
    from coordinator.importers.ninja.lookup import Lookup  # noqa: PLC0415 - only for an error

    assert project.imported is not None
    lookup = Lookup(project.imported.manifest)
    lookup.order(lookup.targets(options.targets), cycles=False)


def _build_in(project: Project, options: Options) -> int:
    from cli.progress_ninja import NinjaProgress  # noqa: PLC0415
    from coordinator.build import regenerate  # noqa: PLC0415

    progress = NinjaProgress(verbose=options.verbose, quiet=options.quiet)
    # A target may be one that the build file knows only once it is made anew.
    anew = bool(options.targets) and not options.dry and regenerate(project, Request(), progress.remaking)
    if options.strict_phony:
        _refuse_phony_cycles(project, options.targets)
    targets = _targets(project, options.targets) if options.targets else ()
    if targets is None:
        # Nothing was asked for but the build file itself, if that; `meson test` asks for it.
        if not anew or _own(project).isdisjoint(options.targets):
            _no_work(options)
        return 0
    # A target that nothing makes is a file that could go away without anybody noticing.
    typed = rest.typed(".", options.targets) if len(targets) == len(options.targets) else ""
    request = Request(
        targets=targets,
        failures=options.failures,
        download=options.download,
        typed=typed,
        keep_response_files=options.keep_response_files,
        keep_depfiles=options.keep_depfiles,
        at_once=options.jobs or 0,
        remade=bool(options.targets),
    )
    doing = _dry if options.dry else _run_jobs
    return doing(project, request, options, progress)


def _refuse_phony_cycles(project: Project, targets: Sequence[str]) -> None:
    """-w phonycycle=err: a phony edge that names itself is a cycle for who needs it; ninja counts it as no root."""
    from coordinator.importers.ninja.building import NAMES_ITSELF  # noqa: PLC0415 - only where it is asked for
    from coordinator.importers.ninja.lookup import Lookup  # noqa: PLC0415

    assert project.imported is not None
    manifest = project.imported.manifest
    told = (warning.partition(": phony target '")[2] for warning in manifest.warnings if NAMES_ITSELF in warning)
    own = {text.partition(NAMES_ITSELF)[0] for text in told}
    lookup = Lookup(manifest)
    wanted = lookup.targets(targets)
    if not targets and not manifest.defaults:
        wanted = [path for path in wanted if path not in own]
    needed = {path for edge in lookup.order(wanted) for path in edge.all_outputs}
    for name in sorted(own & needed):
        raise GraphError(f"dependency cycle: {name} -> {name} [-w phonycycle=err]")


def _run_jobs(project: Project, request: Request, options: Options, progress: NinjaProgress) -> int:
    from cli import fallback  # noqa: PLC0415
    from coordinator.report import InterruptedBuild  # noqa: PLC0415

    if options.explain:
        _explain(project, request)
    try:
        report = fallback.build(project, request, progress, strict=options.strict)
    except InterruptedBuild as error:
        if options.report:
            _write_report(Path(options.report), error.report.status, progress.edges(), project)
        raise
    finally:
        progress.close()
    if options.stats:
        _tell_stats(report)
    if options.report:
        _write_report(Path(options.report), report.status, progress.edges(), project)
    if report.status == "no-changes" or not report.planned:
        _no_work(options)
        return 0
    if report.status == "failed":
        why = "cannot make progress due to previous errors"
        if 0 < options.failures <= report.failed:
            why = "subcommands failed" if options.failures > 1 else "subcommand failed"
        render.out(f"ninja: build stopped: {why}.")
        return report.failures[-1].exit_code or 1 if report.failures else 1
    return 0


def _tell_stats(report: BuildReport) -> None:
    rows = [("planned", report.planned), ("executed", report.executed), *sorted(report.reused.items())]
    rows += [("failed", report.failed), ("skipped", report.skipped), ("repeated", report.repeated)]
    rows += [("files looked at", report.files)]
    rows += [("bytes up", report.bytes_up), ("bytes down", report.bytes_down)]
    for line in render.table([(name, f"{count:,}") for name, count in rows], head=("metric", "count")):
        render.out(line)
    render.out(f"\n{report.seconds * 1000:.1f} ms in all")


def _no_work(options: Options) -> None:
    if not options.quiet:
        render.out("ninja: no work to do.")


def _write_report(path: Path, status: str, edges: Iterable[tuple[Recipe, str]], project: Project) -> None:
    """What was done with each edge: schema windrow.ninja/1, docs/reference/json.md."""
    folder = project.settings.ninja.cwd if project.settings.ninja else ""
    told = [
        {
            "outputs": [os.path.relpath(output, folder or ".") for output in recipe.outputs],
            "rule": recipe.rule,
            "how": how,
        }
        for recipe, how in edges
    ]
    try:
        path.write_text(json.dumps({"schema": "windrow.ninja/1", "status": status, "edges": told}))
    except OSError as error:
        raise named(error, path, "writing") from error


def _targets(project: Project, names: Sequence[str]) -> tuple[str, ...] | None:
    """Targets as ninja takes them, relative to the build folder, as the plan knows them; None if nothing makes any."""
    from coordinator.importers.ninja.lookup import Lookup  # noqa: PLC0415 - only where targets are named

    imported = project.imported
    assert imported is not None
    lookup = Lookup(imported.manifest)
    paths = [_target(project, lookup, name) for name in names]
    for path in paths:
        if path not in lookup.makers and not Path(path).exists():
            raise UsageError(f"'{path}' missing and no known rule to make it")
    made = (path for path in paths if path in lookup.makers)
    # What makes the build file itself runs before there is a plan.
    own = _own(project)
    return tuple(imported.target(path) for path in made if path not in own) or None


def _target(project: Project, lookup: Lookup, name: str) -> str:
    """What a name stands for; also one that only depfiles know: a header, `x.h^` the first output made of it."""
    try:
        return lookup.target(name)
    except UnknownTarget:
        imported, base = project.imported, project.load_base().manifest
        path = canonical(name.removesuffix("^"))
        if imported is None or base is None or path in lookup.makers or path in lookup.users:
            raise
        place = imported.places.of(path)
        told = (entry for entry in base.jobs.values() if entry.trace is not None and (entry.depfile or entry.notes))
        made = {output for entry in told if entry.trace and place in entry.trace.used for output in entry.outputs}
        first = next((path for path in lookup.makers if imported.places.of(path) in made), None)
        if first is None:
            raise
        return first if name.endswith("^") else path


def _own(project: Project) -> frozenset[str]:
    """The build file, and what is made on the way to it."""
    assert project.imported is not None
    manifest = project.imported.manifest
    return frozenset((manifest.files[0], *(path for edge in manifest.makers() for path in edge.all_outputs)))


def _dry(project: Project, request: Request, options: Options, progress: NinjaProgress) -> int:
    from coordinator import build as building  # noqa: PLC0415

    seen = building.look(project, request)
    if seen.remade and project.imported is not None:
        # What else there is to do is known only then.
        manifest = project.imported.manifest
        edge = manifest.makers()[0]
        if options.explain:
            render.err(f"ninja explain: {edge.all_outputs[0]} is dirty: {seen.remade}")
        if not options.quiet:
            said = "" if options.verbose else manifest.description(edge)
            render.out(f"[1/1] {said or manifest.command(edge)}")
        return 0
    if not seen.plan.jobs or seen.graph is None:
        _no_work(options)
        return 0
    if options.explain:
        _explain(project, request)
    progress.planned(seen.plan, seen.graph, build="", revision=0)
    for id_ in (id_ for layer in seen.plan.layers for id_ in layer):
        progress.started(id_, "")
        progress.finished(id_, "executed", 0.0)
    progress.close()
    return 0


def _explain(project: Project, request: Request) -> None:
    from coordinator import build as building  # noqa: PLC0415
    from coordinator.plan.explain import sentence  # noqa: PLC0415

    seen = building.look(project, request)
    for id_, job in seen.plan.jobs.items():
        outputs = seen.graph.recipes[id_].told if seen.graph else (id_,)
        for reason in job.reasons:
            render.err(f"ninja explain: {outputs[0]} is dirty: {sentence(reason)}")
