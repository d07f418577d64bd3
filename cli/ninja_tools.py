"""windrow ninja -t: what ninja's subtools tell of a build file."""

from __future__ import annotations

import getopt
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from cli import render
from cli.ninja_options import Fatal, Options, complaint
from coordinator.imported.build import ImportedBuild
from coordinator.importers.ninja import listings, queries
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.missing import missing
from coordinator.importers.ninja.near import near
from coordinator.keying.beyond import BeyondSets
from coordinator.project import Project
from shared.clock import SystemClock
from shared.errors import UnknownTarget, UsageError
from shared.settings import Settings

TOOLS = {
    "clean": "clean built files",
    "cleandead": "clean built files that are no longer produced by the manifest",
    "commands": "list all commands required to rebuild given targets",
    "inputs": "list all inputs required to rebuild given targets",
    "multi-inputs": "print one or more sets of inputs required to build targets",
    "deps": "show what the last run of a target was seen to read",
    "missingdeps": "check what targets were seen to read for generated files that no edge says they need",
    "graph": "output graphviz dot file for targets",
    "query": "show inputs/outputs for a path",
    "targets": "list targets by their rule or depth in the DAG",
    "compdb": "dump JSON compilation database to stdout",
    "compdb-targets": "dump JSON compilation database for a given list of targets to stdout",
    "recompact": "accepted: there is no log to recompact",
    "restat": "accepted: content decides, not times",
    "rules": "list all rules",
}


# What follows a tool that takes flags: short ones, long ones, and what is told of them.
_TAKES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "clean": (
        "hgr",
        (),
        """\
usage: ninja -t clean [options] [targets]

options:
  -g     also clean files marked as ninja generator output
  -r     interpret targets as a list of rules to clean instead""",
    ),
    "commands": (
        "hs",
        (),
        """\
usage: ninja -t commands [options] [targets]

options:
  -s     only print the final command to build [target], not the whole chain""",
    ),
    "inputs": (
        "0Edh",
        ("help", "print0", "no-shell-escape", "dependency-order"),
        """\
usage: ninja -t inputs [options] [targets]

options:
  -0, --print0            end each path by NUL instead of a newline
  -E, --no-shell-escape   do not quote paths for a shell
  -d, --dependency-order  each path behind what it needs, instead of sorted by name""",
    ),
    "multi-inputs": (
        "0d:h",
        ("help", "print0", "delimiter="),
        """\
usage: ninja -t multi-inputs [options] [targets]

options:
  -0, --print0           end each line by NUL instead of a newline
  -d, --delimiter=DELIM  what stands between target and input, instead of a tab""",
    ),
    "rules": (
        "dh",
        (),
        """\
usage: ninja -t rules [options]

options:
  -d     also print the description of the rule
  -h     print this message""",
    ),
    "compdb": (
        "xh",
        (),
        """\
usage: ninja -t compdb [options] [rules]

options:
  -x     expand @rspfile style response file invocations""",
    ),
    "compdb-targets": (
        "xh",
        (),
        """\
usage: ninja -t compdb [-hx] target [targets]

options:
  -h     display this help message
  -x     expand @rspfile style response file invocations""",
    ),
    "restat": ("h", ("builddir=",), "usage: ninja -t restat [outputs]"),
}
_MODES = ("rule", "depth", "all")


def list_tools() -> int:
    """Print which tools there are; the exit code."""
    render.out("ninja subtools:")
    for name, what in TOOLS.items():
        render.out(f"{name:>11}  {what}")
    return 0


def require_tool(tool: str) -> None:
    """UsageError for a tool that there is not."""
    if tool == "browse":
        raise UsageError("there is no browser of the graph", fix="-t query tells what is around a path, -t graph all")
    if tool not in TOOLS:
        meant = near(tool, TOOLS)
        raise Fatal(f"unknown tool '{tool}'", fix=f"did you mean '{meant}'?" if meant else "windrow ninja -t list")


def restat(words: list[str]) -> int:
    """Nothing is to be done, for times do not count; the exit code, 1 for a flag that there is not."""
    return 1 if _flags_of("restat", words) is None else 0


def run_tool(options: Options, settings: Settings) -> int:
    """Print what a tool tells; its exit code. UsageError for what it is not to be asked."""
    tool, flags, names = options.tool, dict[str, str](), options.targets
    if tool in _TAKES:
        given = _flags_of(tool, names)
        if given is None:
            return 1
        flags, names = given
    if tool == "recompact":
        return 0
    project = Project(settings, environ=os.environ, clock=SystemClock())
    imported = project.imported
    assert imported is not None
    tools = _Tools(project, imported, flags)
    if tool in ("clean", "cleandead"):
        from cli.ninja_clean import Cleaning  # noqa: PLC0415 - only for what tidies up

        cleaning = Cleaning(project, imported, dry=options.dry, verbose=options.verbose)
        if tool == "cleandead":
            return cleaning.dead()
        return cleaning.clean(names, generated="-g" in flags, rules="-r" in flags)
    return tools.run(tool, names)


def _flags_of(tool: str, words: list[str]) -> tuple[dict[str, str], list[str]] | None:
    """The flags of a tool and what else follows it; None if it was asked how it is used, or wrongly: that is told."""
    short, long, usage = _TAKES[tool]
    try:
        found, names = getopt.gnu_getopt(words, short, list(long))
    except getopt.GetoptError as error:
        render.err(f"{tool}: {complaint(error)}")
        found, names = [("-h", "")], []
    flags = dict(found)
    if not flags.keys().isdisjoint(("-h", "--help")):
        render.out(usage)
        return None
    return flags, names


class _Tools:
    def __init__(self, project: Project, imported: ImportedBuild, flags: Mapping[str, str]) -> None:
        self._project, self._imported, self._flags = project, imported, flags
        self._manifest: Manifest = imported.manifest
        self._folder = project.settings.root / imported.ninja.cwd

    def run(self, tool: str, words: list[str]) -> int:
        look = self._lookup
        tools: dict[str, Callable[[list[str]], Iterable[str]]] = {
            "targets": self._targets,
            "commands": lambda words: queries.commands(look, look.targets(words), single="-s" in self._flags),
            "inputs": self._inputs,
            "multi-inputs": self._multi_inputs,
            "query": self._query,
            "rules": lambda _: queries.rules(self._manifest, described="-d" in self._flags),
            "graph": lambda words: listings.graph(look, look.targets(words)),
            "compdb": self._compdb,
            "compdb-targets": self._compdb_targets,
            "deps": self._deps,
        }
        if tool == "missingdeps":
            return self._missing(words)
        for line in tools[tool](words):
            render.out(line)
        return 0

    def _missing(self, words: list[str]) -> int:
        lookup, manifest = self._lookup, self._project.load_base().manifest
        spelled = {self._imported.places.of(path): path for path in lookup.makers}
        read = {
            spelled[output]: [spelled[path] for path in entry.trace.used if path in spelled]
            for entry in (manifest.jobs if manifest else {}).values()
            # As ninja: what was only noticed is no depfile's.
            if entry.trace is not None and (entry.depfile is not None or entry.notes)
            for output in entry.outputs
            if output in spelled
        }
        found = missing(lookup, lookup.targets(words), read)
        for line in found.lines:
            render.out(line)
        return found.code

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self._manifest)

    def _query(self, words: list[str]) -> Iterable[str]:
        if not words:
            raise UsageError("expected a target to query")
        return queries.query(self._lookup, self._lookup.targets(words))

    def _inputs(self, words: list[str]) -> Iterable[str]:
        flags, look = self._flags, self._lookup
        ordered, quote = {"-d", "--dependency-order"}, {"-E", "--no-shell-escape"}
        found = queries.inputs(
            look, look.targets(words), ordered=not ordered.isdisjoint(flags), quote=quote.isdisjoint(flags)
        )
        return self._ended(found, flags)

    def _multi_inputs(self, words: list[str]) -> Iterable[str]:
        flags, look = self._flags, self._lookup
        delimiter = flags.get("--delimiter", flags.get("-d", "\t"))
        return self._ended(queries.multi_inputs(look, look.targets(words), delimiter=delimiter), flags)

    def _ended(self, lines: Iterable[str], flags: Mapping[str, str]) -> Iterable[str]:
        """The lines; with -0 each is ended by NUL instead, and they are printed here."""
        if {"-0", "--print0"}.isdisjoint(flags):
            return lines
        render.raw("".join(f"{line}\0" for line in lines))
        return ()

    def _compdb(self, words: list[str]) -> Iterable[str]:
        return [listings.compdb(self._manifest, words, directory=str(self._folder), expand="-x" in self._flags)]

    def _compdb_targets(self, words: list[str]) -> Iterable[str]:
        if not words:
            render.out(_TAKES["compdb-targets"][2])
            raise UsageError("compdb-targets expects the name of at least one target")
        expand, folder = "-x" in self._flags, str(self._folder)
        try:
            return [listings.compdb_targets(self._lookup, words, directory=folder, expand=expand)]
        except UnknownTarget as error:
            raise Fatal(error.what, fix=error.fix) from error

    def _targets(self, words: list[str]) -> Iterable[str]:
        mode = words[0] if words else "depth"
        if mode == "all":
            return queries.targets_all(self._manifest)
        if mode == "rule":
            return queries.targets_rule(self._manifest, words[1] if len(words) > 1 else "")
        if mode == "depth":
            depth = words[1] if len(words) > 1 else "1"
            if not depth.lstrip("-").isdigit():
                raise UsageError(f"'{depth}' is not a depth", fix="windrow ninja -t targets depth 1")
            return queries.targets_depth(self._lookup, int(depth))
        meant = near(mode, _MODES)
        raise UsageError(
            f"unknown target tool mode '{mode}'", fix=f"did you mean '{meant}'?" if meant else "all, depth or rule"
        )

    def _deps(self, words: list[str]) -> Iterable[str]:
        manifest = self._project.load_base().manifest
        sets = BeyondSets(manifest)
        if words:
            self._lookup.targets(words)  # refuses what is none
        asked = {self._imported.places.of(word): word for word in words}
        for entry in (manifest.jobs if manifest else {}).values():
            trace = sets.trace(entry)
            named = {asked.pop(path, "") for path in entry.outputs} - {""}
            if trace is None or (words and not named):
                asked.update({self._imported.places.of(word): word for word in named})
                continue
            read = (*map(self._imported.shown, trace.used), *trace.beyond)
            yield f"{self._imported.shown(entry.outputs[0])}: #deps {len(read)}{self._when(entry.outputs[0])} (VALID)"
            yield from (f"    {path}" for path in read)
            yield ""
        yield from (f"{word}: deps not found" for word in asked.values())

    def _when(self, path: str) -> str:
        """When an output was made, as programs expect it behind the count; nothing where it is not here."""
        try:
            return f", deps mtime {(self._project.settings.root / path).stat().st_mtime_ns}"
        except OSError:
            return ""
