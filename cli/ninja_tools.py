"""windrow ninja -t: what ninja's subtools tell of a build file, and the two that tidy up."""

from __future__ import annotations

import getopt
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cli import render
from coordinator.imported import ImportedBuild
from coordinator.importers.ninja import listings, queries
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.missing import missing
from coordinator.importers.ninja.places import outside
from coordinator.importers.ninja.spelling import canonical
from coordinator.keying.beyond import BeyondSets
from coordinator.project import Project
from shared.clock import SystemClock
from shared.errors import UsageError, named
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


def run_tool(tool: str, arguments: Sequence[str], settings: Settings) -> int:
    """Print what a tool tells; its exit code. UsageError for a tool or a flag that is not known."""
    if tool == "list":
        render.out("ninja subtools:")
        for name, what in TOOLS.items():
            render.out(f"{name:>11}  {what}")
        return 0
    if tool == "browse":
        raise UsageError("there is no browser of the graph", fix="-t query tells what is around a path, -t graph all")
    if tool not in TOOLS:
        raise UsageError(f"unknown tool '{tool}'", fix="windrow ninja -t list")
    if tool in ("recompact", "restat"):
        return 0
    project = Project(settings, environ=os.environ, clock=SystemClock())
    imported = project.imported
    assert imported is not None
    return _Tools(project, imported).run(tool, list(arguments))


class _Tools:
    def __init__(self, project: Project, imported: ImportedBuild) -> None:
        self._project, self._imported = project, imported
        self._manifest: Manifest = imported.manifest
        self._folder = project.settings.root / imported.ninja.cwd

    def run(self, tool: str, words: list[str]) -> int:
        look, wanted = self._lookup, self._wanted
        tools: dict[str, Callable[[list[str]], Iterable[str]]] = {
            "targets": self._targets,
            "commands": lambda words: queries.commands(look(), wanted(words, "-s"), single="-s" in words),
            "inputs": self._inputs,
            "multi-inputs": self._multi_inputs,
            "query": lambda words: queries.query(look(), words),
            "rules": lambda words: queries.rules(self._manifest, described="-d" in words),
            "graph": lambda words: listings.graph(look(), wanted(words)),
            "compdb": self._compdb,
            "compdb-targets": self._compdb_targets,
            "deps": self._deps,
            "clean": self._clean,
            "cleandead": self._cleandead,
        }
        if tool == "missingdeps":
            return self._missing(words)
        for line in tools[tool](words):
            render.out(line)
        return 0

    def _missing(self, words: list[str]) -> int:
        lookup, manifest = self._lookup(), self._project.load_base().manifest
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

    def _lookup(self) -> Lookup:
        return Lookup(self._manifest)

    def _wanted(self, words: list[str], *flags: str) -> list[str]:
        """The targets named, else the default ones."""
        named_ones = _without(words, *flags)
        return named_ones or list(self._manifest.defaults) or self._lookup().roots()

    def _inputs(self, words: list[str]) -> Iterable[str]:
        flags, names = _flags(words, "0Ed", ("print0", "no-shell-escape", "dependency-order"))
        ordered, quote = {"-d", "--dependency-order"}, {"-E", "--no-shell-escape"}
        found = queries.inputs(
            self._lookup(), self._wanted(names), ordered=not ordered.isdisjoint(flags), quote=quote.isdisjoint(flags)
        )
        return self._ended(found, flags)

    def _multi_inputs(self, words: list[str]) -> Iterable[str]:
        flags, names = _flags(words, "0d:", ("print0", "delimiter="))
        delimiter = flags.get("--delimiter", flags.get("-d", "\t"))
        return self._ended(queries.multi_inputs(self._lookup(), self._wanted(names), delimiter=delimiter), flags)

    def _ended(self, lines: Iterable[str], flags: Mapping[str, str]) -> Iterable[str]:
        """The lines; with -0 each is ended by NUL instead, and they are printed here."""
        if {"-0", "--print0"}.isdisjoint(flags):
            return lines
        render.raw("".join(f"{line}\0" for line in lines))
        return ()

    def _compdb(self, words: list[str]) -> Iterable[str]:
        rules, folder = _without(words, "-x"), str(self._folder)
        return [listings.compdb(self._manifest, rules, directory=folder, expand="-x" in words)]

    def _compdb_targets(self, words: list[str]) -> Iterable[str]:
        targets, folder = _without(words, "-x"), str(self._folder)
        return [listings.compdb_targets(self._lookup(), targets, directory=folder, expand="-x" in words)]

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
            return queries.targets_depth(self._lookup(), int(depth))
        raise UsageError(f"unknown target tool mode '{mode}'", fix="all, depth or rule")

    def _deps(self, words: list[str]) -> Iterable[str]:
        manifest = self._project.load_base().manifest
        sets = BeyondSets(manifest)
        if words:
            self._lookup().targets(words)  # refuses what is none
        asked = {self._imported.places.of(word): word for word in words}
        for entry in (manifest.jobs if manifest else {}).values():
            trace = sets.trace(entry)
            named = {asked.pop(path, "") for path in entry.outputs} - {""}
            if trace is None or (words and not named):
                asked.update({self._imported.places.of(word): word for word in named})
                continue
            read = (*map(self._shown, trace.used), *trace.beyond)
            yield f"{self._shown(entry.outputs[0])}: #deps {len(read)}{self._when(entry.outputs[0])} (VALID)"
            yield from (f"    {path}" for path in read)
            yield ""
        yield from (f"{word}: deps not found" for word in asked.values())

    def _when(self, path: str) -> str:
        """When an output was made, as programs expect it behind the count; nothing where it is not here."""
        try:
            return f", deps mtime {(self._project.settings.root / path).stat().st_mtime_ns}"
        except OSError:
            return ""

    def _shown(self, path: str) -> str:
        cwd = self._imported.ninja.cwd
        return os.path.relpath(path, cwd) if cwd else path

    def _clean(self, words: list[str]) -> Iterable[str]:
        generated, by_rule = "-g" in words, "-r" in words
        asked = set(_without(words, "-g", "-r"))
        edges = [edge for edge in self._manifest.edges if not edge.phony]
        edges = [edge for edge in edges if generated or not self._manifest.generator(edge)]
        if asked and not by_rule:
            return self._removed(self._below(_without(words, "-g", "-r")))
        if asked:
            edges = [edge for edge in edges if edge.rule in asked]
        return self._removed(path for edge in edges for path in edge.all_outputs)

    def _below(self, names: Iterable[str]) -> Iterator[str]:
        """What is made on the way to targets, and these: CMake cleans a configuration by one phony target."""
        lookup = Lookup(self._manifest)
        waiting = [lookup.target(name) for name in names if canonical(name) in lookup.makers]
        seen = set(waiting)
        for path in waiting:  # it grows
            maker = lookup.maker(path)
            if maker is None:
                continue
            if not maker.phony:
                yield path
            more = [one for one in maker.all_inputs if one not in seen]
            seen.update(more)
            waiting += more

    def _cleandead(self, _words: list[str]) -> Iterable[str]:
        """What the last revision made and no edge makes any more."""
        manifest = self._project.load_base().manifest
        made = {self._imported.places.of(path) for edge in self._manifest.edges for path in edge.all_outputs}
        dead = [
            path for entry in (manifest.jobs if manifest else {}).values() for path in entry.outputs if path not in made
        ]
        return self._removed(self._shown(path) for path in dead)

    def _removed(self, paths: Iterable[str]) -> Iterable[str]:
        count = 0
        for path in paths:
            if outside(self._imported.places.of(path)):
                continue
            place = Path(self._folder / path)
            try:
                if place.is_symlink() or place.is_file():
                    place.unlink()
                    count += 1
            except OSError as error:
                raise named(error, place, "removing") from error
        return [f"Cleaning... {count} files."]


def _flags(words: Sequence[str], short: str, long: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The flags of a subtool, and the targets; UsageError."""
    try:
        found, names = getopt.gnu_getopt(list(words), short, list(long))
    except getopt.GetoptError as error:
        raise UsageError(f"unknown option: {error.msg}") from error
    return dict(found), names


def _without(words: Iterable[str], *flags: str) -> list[str]:
    return [word for word in words if word not in flags]
