"""windrow ninja -t: what ninja's subtools tell of a build file, and the two that tidy up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cli import render
from coordinator.imported import ImportedBuild
from coordinator.importers.ninja import listings, queries
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.places import outside
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
            "inputs": lambda words: queries.inputs(look(), wanted(words, "-d", "-E"), ordered="-d" in words),
            "multi-inputs": lambda words: queries.multi_inputs(look(), wanted(words)),
            "query": lambda words: queries.query(look(), words),
            "rules": lambda words: queries.rules(self._manifest, described="-d" in words),
            "graph": lambda words: listings.graph(look(), wanted(words)),
            "compdb": self._compdb,
            "compdb-targets": self._compdb_targets,
            "deps": self._deps,
            "clean": self._clean,
            "cleandead": self._cleandead,
        }
        for line in tools[tool](words):
            render.out(line)
        return 0

    def _lookup(self) -> Lookup:
        return Lookup(self._manifest)

    def _wanted(self, words: list[str], *flags: str) -> list[str]:
        """The targets named, else the default ones."""
        named_ones = _without(words, *flags)
        return named_ones or list(self._manifest.defaults) or self._lookup().roots()

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
        asked = {self._imported.places.of(word) for word in words}
        for entry in (manifest.jobs if manifest else {}).values():
            if entry.trace is None or (asked and asked.isdisjoint(entry.outputs)):
                continue
            yield f"{self._shown(entry.outputs[0])}: #deps {len(entry.trace.used)} (VALID)"
            yield from (f"    {self._shown(path)}" for path in entry.trace.used)
            yield ""

    def _shown(self, path: str) -> str:
        cwd = self._imported.ninja.cwd
        return os.path.relpath(path, cwd) if cwd else path

    def _clean(self, words: list[str]) -> Iterable[str]:
        generated, by_rule = "-g" in words, "-r" in words
        asked = set(_without(words, "-g", "-r"))
        edges = [edge for edge in self._manifest.edges if not edge.phony]
        edges = [edge for edge in edges if generated or not self._manifest.generator(edge)]
        if asked:
            edges = [
                edge for edge in edges if (edge.rule in asked if by_rule else not asked.isdisjoint(edge.all_outputs))
            ]
        return self._removed(path for edge in edges for path in edge.all_outputs)

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


def _without(words: Iterable[str], *flags: str) -> list[str]:
    return [word for word in words if word not in flags]
