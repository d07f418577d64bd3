"""windrow ninja and windrow-ninja: ninja's own flags, on Windrow."""

from __future__ import annotations

import gc
import getopt
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn, cast

import msgspec

from cli import render
from cli.credentials import with_credentials
from cli.first import VERSION
from cli.ninja_project import open_build_folder
from cli.performers import PERFORMERS
from coordinator import rest
from coordinator.project import Project
from coordinator.request import Request
from coordinator.survey import Download
from shared.clock import SystemClock
from shared.errors import GraphError, UsageError
from shared.model.graph import Recipe
from shared.settings import Settings

_OBJECTS = 100_000  # made and not yet freed, until cycles are looked for
USAGE = """\
usage: windrow ninja [options] [targets...]

if targets are unspecified, builds the 'default' target (see manual).

options:
  --version       print the ninja version whose language is read ("1.12.1")
  -v, --verbose   show all command lines while building
  --quiet         don't show progress status, just command output

  -C DIR   change to DIR before doing anything else
  -f FILE  specify input build file [default=build.ninja]

  -j N     run N jobs in parallel here [default: cores]
  -k N     keep going until N jobs fail (0 means infinity) [default=1]
  -l N     accepted, and of no effect: jobs are few where they run here
  -n       dry run (don't run commands but act like they succeeded)

  -d MODE  enable debugging (explain, stats, keepdepfile, keeprsp, list)
  -t TOOL  run a subtool (use '-t list' to list subtools)
  -w FLAG  adjust warnings (accepted)

  --strict-remote        fail when the farm is away, instead of running the jobs here
  --download all|targets|none   which outputs of remote jobs to write here [default=all]
  --report FILE          write what was done with each edge, as JSON
"""
# Errors that ninja tells of without a place.
_OF_THE_GRAPH = re.compile("^dependency cycle|missing and no known rule")
_VALUED = frozenset(("-C", "-f", "-j", "-k", "-l", "-d", "-w", "--download", "--report"))
_LONG = ["version", "verbose", "quiet", "help", "strict-remote", "download=", "report="]
# Flags that tell something and end there, with what and with which code.
_TOLD = {"--version": (VERSION, 0), "-h": (USAGE.rstrip(), 0), "--help": (USAGE.rstrip(), 0)}


class Options(msgspec.Struct):
    """What the command line asked for."""

    directory: str = "."
    file: str = "build.ninja"
    jobs: int | None = None
    failures: int = 1
    verbose: bool = False
    quiet: bool = False
    dry: bool = False
    explain: bool = False
    tool: str = ""
    strict: bool = False
    download: Download = "all"
    report: str = ""
    targets: list[str] = []


def program() -> NoReturn:
    """The console script `windrow-ninja`."""
    from cli.ends import ends_well  # noqa: PLC0415

    # A build makes few cycles and is soon over: to look for them as often as Python does takes a thirtieth of its time.
    gc.set_threshold(_OBJECTS)
    code = ends_well(lambda: run(sys.argv[1:]), sys.argv[1:])
    render.flush()
    # The build has cleared up after itself. To take the interpreter apart would cost a tenth of a short build.
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Do what ninja would be asked to; the exit code, which is ninja's for what cannot be done as asked."""
    try:
        return _run(arguments)
    except UsageError as error:
        # Tools that start ninja look at its words, and expect 1 whatever is wrong.
        guess = f", {error.fix}" if error.fix.startswith("did you mean") else ""
        kind = "fatal" if error.what.startswith("chdir to") else "error"
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
    options = _options(arguments)
    if isinstance(options, int):
        return options
    folder = Path(options.directory)
    if not folder.is_dir():
        raise UsageError(f"chdir to '{options.directory}' - No such file or directory", at=options.directory)
    if options.directory != ".":
        # As ninja says it, for editors that make paths of what follows.
        if not options.tool and not options.quiet:
            render.out(f"ninja: Entering directory `{options.directory}'")
        os.chdir(folder)
    settings = open_build_folder(Path.cwd(), options.file, flags={"jobs": options.jobs}, environ=os.environ)
    with_credentials(settings)
    if options.tool:
        from cli.ninja_tools import run_tool  # noqa: PLC0415

        return run_tool(options.tool, options.targets, settings)
    return _build(settings, options)


def _options(arguments: Sequence[str]) -> Options | int:
    options = Options()
    try:
        given, options.targets = _parsed(list(arguments), options)
    except getopt.GetoptError as error:
        raise UsageError(f"unknown option: {error.msg}", fix="windrow ninja --help") from error
    for flag, value in given:
        if flag in _TOLD:
            text, code = _TOLD[flag]
            render.out(text)
            return code
        if flag == "-d" and value == "list":
            render.out("debugging modes:\n  explain    explain what caused a command to execute")
            return 1
        _set(options, flag, value)
    return options


def _set(options: Options, flag: str, value: str) -> None:
    match flag:
        case "-C":
            options.directory = value
        case "-f":
            options.file = value
        case "-j":
            options.jobs = _whole(value, "-j") or None
        case "-k":
            options.failures = max(0, _whole(value, "-k", negative=True))
        case "-v" | "--verbose":
            options.verbose = True
        case "--quiet":
            options.quiet = True
        case "-n":
            options.dry = True
        case "-d":
            options.explain = options.explain or value == "explain"
        case "--strict-remote":
            options.strict = True
        case "--download":
            if value not in ("all", "targets", "none"):
                raise UsageError(f"--download takes all, targets or none, not '{value}'")
            options.download = cast("Download", value)
        case "--report":
            options.report = str(Path(value).absolute())


def _parsed(arguments: list[str], options: Options) -> tuple[list[tuple[str, str]], list[str]]:
    """As getopt_long: flags and targets in any order, but everything after `-t TOOL` is the tool's."""
    given: list[tuple[str, str]] = []
    targets: list[str] = []
    arguments, tool = _before_tool(arguments)
    if tool:
        found, _ = getopt.getopt(arguments, "C:f:j:k:l:nvhd:w:", _LONG)
        options.tool = tool[0].removeprefix("-t") or (tool[1] if len(tool) > 1 else "list")
        return found, tool[1:] if tool[0] != "-t" else tool[2:]
    while arguments:
        found, arguments = getopt.getopt(arguments, "C:f:j:k:l:nvhd:w:", _LONG)
        given += found
        if arguments:
            targets.append(arguments.pop(0))
    return given, targets


def _before_tool(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The flags before `-t`, and everything from there on: what follows the tool is the tool's, flags and all."""
    words = iter(enumerate(arguments))
    for number, word in words:
        if word == "--":
            break
        if word.startswith("-t"):
            return arguments[:number], arguments[number:]
        if word in _VALUED:
            next(words, None)
    return arguments, []


def _whole(text: str, flag: str, *, negative: bool = False) -> int:
    try:
        value = int(text)
    except ValueError:
        raise UsageError(f"invalid {flag} parameter: {text}") from None
    if value < 0 and not negative:
        raise UsageError(f"invalid {flag} parameter: {text}")
    return value


def _build(settings: Settings, options: Options) -> int:
    project = Project(settings, environ=os.environ, clock=SystemClock(), performers=PERFORMERS)
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
    from cli import fallback  # noqa: PLC0415
    from cli.progress_ninja import NinjaProgress  # noqa: PLC0415
    from coordinator.build import regenerate  # noqa: PLC0415

    # A target may be one that the build file knows only once it is made anew.
    anew = bool(options.targets) and not options.dry and regenerate(project, Request(), render.err)
    targets = _targets(project, options.targets) if options.targets else ()
    if targets is None:
        # Nothing was asked for but the build file itself, if that; `meson test` asks for it.
        if not anew or _own(project).isdisjoint(options.targets):
            _no_work(options)
        return 0
    # A target that nothing makes is a file that could go away without anybody noticing.
    typed = rest.typed(".", options.targets) if len(targets) == len(options.targets) else ""
    request = Request(targets=targets, failures=options.failures, download=options.download, typed=typed)
    if options.dry:
        return _dry(project, request, options)
    progress = NinjaProgress(verbose=options.verbose, quiet=options.quiet)
    if options.explain:
        _explain(project, request)
    try:
        report = fallback.build(project, request, progress, strict=options.strict)
    finally:
        progress.close()
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
    path.write_text(json.dumps({"schema": "windrow.ninja/1", "status": status, "edges": told}))


def _targets(project: Project, names: Sequence[str]) -> tuple[str, ...] | None:
    """Targets as ninja takes them, relative to the build folder, as the plan knows them; None if nothing makes any."""
    from coordinator.importers.ninja.lookup import Lookup  # noqa: PLC0415 - only where targets are named

    imported = project.imported
    assert imported is not None
    lookup = Lookup(imported.manifest)
    paths = [lookup.target(name) for name in names]
    for path in paths:
        if path not in lookup.makers and not Path(path).exists():
            raise UsageError(f"'{path}' missing and no known rule to make it")
    made = (path for path in paths if path in lookup.makers)
    # What makes the build file itself runs before there is a plan.
    own = _own(project)
    return tuple(imported.target(path) for path in made if path not in own) or None


def _own(project: Project) -> frozenset[str]:
    """The build file, and what is made on the way to it."""
    assert project.imported is not None
    manifest = project.imported.manifest
    return frozenset((manifest.files[0], *(path for edge in manifest.makers() for path in edge.all_outputs)))


def _dry(project: Project, request: Request, options: Options) -> int:
    from coordinator import build as building  # noqa: PLC0415

    seen = building.look(project, request)
    if not seen.plan.jobs or seen.graph is None:
        _no_work(options)
        return 0
    if options.explain:
        _explain(project, request)
    order = [id_ for layer in seen.plan.layers for id_ in layer]
    for number, id_ in enumerate(order, 1):
        recipe = seen.graph.recipes[id_]
        text = recipe.command[-1] if options.verbose or not recipe.description else recipe.description
        render.out(f"[{number}/{len(order)}] {text}")
    return 0


def _explain(project: Project, request: Request) -> None:
    from coordinator import build as building  # noqa: PLC0415
    from coordinator.plan.explain import sentence  # noqa: PLC0415

    seen = building.look(project, request)
    for id_, job in seen.plan.jobs.items():
        outputs = seen.graph.recipes[id_].outputs if seen.graph else (id_,)
        for reason in job.reasons:
            render.err(f"ninja explain: {outputs[0]} is dirty: {sentence(reason)}")
