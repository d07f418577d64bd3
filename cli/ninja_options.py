"""The flags of windrow ninja, which are ninja's own, and a few of Windrow's."""

from __future__ import annotations

import getopt
import os
from collections.abc import Sequence
from typing import cast

import msgspec

from cli import render
from cli.first import VERSION
from coordinator.importers.ninja.near import near
from coordinator.request import Download
from shared.errors import UsageError

USAGE = f"""\
usage: windrow ninja [options] [targets...]

if targets are unspecified, builds the 'default' target (see manual).

options:
  --version      print the ninja version whose language is read ("{VERSION}")
  -v, --verbose  show all command lines while building
  --quiet        don't show progress status, just command output

  -C DIR   change to DIR before doing anything else
  -f FILE  specify input build file [default=build.ninja]

  -j N     run N jobs in parallel, here and on a farm (0 means the default) [default: cores, and all of a farm]
  -k N     keep going until N jobs fail (0 means infinity) [default=1]
  -l N     do not start new jobs here if the load average is greater than N
  -n       dry run (don't run commands but act like they succeeded)

  -d MODE  enable debugging (use '-d list' to list modes)
  -t TOOL  run a subtool (use '-t list' to list subtools)
    terminates toplevel options; further flags are passed to the tool
  -w FLAG  adjust warnings (use '-w list' to list warnings)

  --strict-remote        fail when the farm is away, instead of running the jobs here
  --download all|targets|none   which outputs of remote jobs to write here [default=all]
  --report FILE          write what was done with each edge, as JSON
"""
_MODES = {
    "stats": "print what was done, and how long it took",
    "explain": "explain what caused a command to execute",
    "keepdepfile": "don't delete depfiles after they're read by ninja",
    "keeprsp": "don't delete @response files on success",
}
_WARNINGS = ("phonycycle=err", "phonycycle=warn")
# Of older versions of ninja; what the first of each pair chose is what there is.
_FORMER = ("dupbuild=err", "dupbuild=warn", "depfilemulti=err", "depfilemulti=warn")
_SHORT = "C:f:j:k:l:nvhd:w:"
_VALUED = frozenset(("-C", "-f", "-j", "-k", "-l", "-d", "-w", "--download", "--report"))
_LONG = ["version", "verbose", "quiet", "help", "strict-remote", "download=", "report="]


class Fatal(UsageError):
    """What ninja calls fatal rather than an error."""


class Options(msgspec.Struct):
    """What the command line asked for. load: the load average from which on no job begins here; 0 for none."""

    directory: str = ""
    file: str = "build.ninja"
    jobs: int | None = None
    failures: int = 1
    load: float = 0.0
    verbose: bool = False
    quiet: bool = False
    dry: bool = False
    explain: bool = False
    stats: bool = False
    keep_response_files: bool = False
    keep_depfiles: bool = False
    strict_phony: bool = False
    tool: str = ""
    strict: bool = False
    download: Download = "all"
    report: str = ""
    targets: list[str] = []


def options_of(arguments: Sequence[str]) -> Options | int:
    """The options, or the exit code where the flags only ask to be told something; UsageError."""
    options = Options()
    try:
        given, options.targets = _parsed(list(arguments), options)
    except getopt.GetoptError as error:
        render.err(f"ninja: {complaint(error)}\n{USAGE.rstrip()}")
        return 1
    for flag, value in given:
        told = _told(flag, value)
        if told is not None:
            return told
        _set(options, flag, value)
    return options


def complaint(error: getopt.GetoptError) -> str:
    """What is wrong with a flag, in the words of getopt(3), which scripts have seen before."""
    name = f"'--{error.opt}'" if len(error.opt) > 1 else f"'{error.opt}'"
    if "requires argument" in error.msg:
        return f"option {name} requires an argument" if "--" in name else f"option requires an argument -- {name}"
    if "not recognized" in error.msg:
        return f"unrecognized option {name}" if "--" in name else f"invalid option -- {name}"
    return error.msg


def _told(flag: str, value: str) -> int | None:
    """Print what a flag asks for that ends there, and its exit code; None for the others."""
    if flag == "--version":
        render.out(VERSION)
        return 0
    if flag in ("-h", "--help"):
        render.out(USAGE.rstrip())
        return 0
    if (flag, value) == ("-d", "list"):
        render.out("debugging modes:")
        for name, what in _MODES.items():
            render.out(f"  {name:<11}  {what}")
        render.out("multiple modes can be enabled via -d FOO -d BAR")
        return 1
    if (flag, value) == ("-w", "list"):
        render.out("warning flags:\n  phonycycle={err,warn}  phony build statement references itself")
        return 1
    return None


def _set(options: Options, flag: str, value: str) -> None:
    match flag:
        case "-C":
            options.directory = value
        case "-f":
            options.file = value
        case "-j":
            options.jobs = _jobs(value)
        case "-k":
            options.failures = _failures(value)
        case "-l":
            options.load = _load(value)
        case "-v" | "--verbose":
            options.verbose, options.quiet = True, False
        case "--quiet":
            options.quiet, options.verbose = True, False
        case "-n":
            options.dry = True
        case "-d":
            _debug(options, value)
        case "-w":
            _warn(options, value)
        case _:
            _set_ours(options, flag, value)


def _set_ours(options: Options, flag: str, value: str) -> None:
    """The flags that ninja has not."""
    match flag:
        case "--strict-remote":
            options.strict = True
        case "--download":
            if value not in ("all", "targets", "none"):
                raise UsageError(f"--download takes all, targets or none, not '{value}'")
            options.download = cast("Download", value)
        case "--report":
            options.report = os.path.abspath(value)  # noqa: PTH100 - before -C


def _debug(options: Options, mode: str) -> None:
    match mode:
        case "explain":
            options.explain = True
        case "stats":
            options.stats = True
        case "keepdepfile":
            options.keep_depfiles = True
        case "keeprsp":
            options.keep_response_files = True
        case _:
            raise _unknown(f"unknown debug setting '{mode}'", mode, _MODES)


def _warn(options: Options, flag: str) -> None:
    if flag in _FORMER:
        render.err(f"ninja: warning: deprecated warning '{flag.partition('=')[0]}'")
    elif flag in _WARNINGS:
        options.strict_phony = flag.endswith("=err")
    else:
        raise _unknown(f"unknown warning flag '{flag}'", flag, _WARNINGS)


def _unknown(what: str, name: str, names: Sequence[str] | dict[str, str]) -> UsageError:
    found = near(name, names)
    return UsageError(what, fix=f"did you mean '{found}'?" if found else "")


def _parsed(arguments: list[str], options: Options) -> tuple[list[tuple[str, str]], list[str]]:
    """As getopt_long: flags and targets in any order, but everything after `-t TOOL` is the tool's."""
    given: list[tuple[str, str]] = []
    targets: list[str] = []
    arguments, tool = _before_tool(arguments)
    if tool:
        found, _ = getopt.gnu_getopt(arguments, _SHORT, _LONG)
        options.tool = tool[0].removeprefix("-t") or (tool[1] if len(tool) > 1 else "")
        if not options.tool:
            raise getopt.GetoptError("option -t requires argument", "t")
        return found, tool[1:] if tool[0] != "-t" else tool[2:]
    while arguments:
        found, arguments = getopt.getopt(arguments, _SHORT, _LONG)
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


def _jobs(text: str) -> int | None:
    if not text.isdecimal():
        raise Fatal("invalid -j parameter", why=f"'{text}' is not a number of jobs")
    return int(text) or None


def _failures(text: str) -> int:
    try:
        return max(0, int(text))
    except ValueError:
        raise Fatal("-k parameter not numeric; did you mean -k 0?") from None


def _load(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Fatal("-l parameter not numeric: did you mean -l 0.0?") from None
