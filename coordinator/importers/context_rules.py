"""Context rules as a graph: each file parsed, each compiled to .mdc, all looked at together, and the two aggregates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import msgspec

from coordinator.importers.links import Links
from shared import calls, canonical
from shared.context_rules import rule as rules
from shared.context_rules.config import Config
from shared.context_rules.lint import Facts
from shared.context_rules.places import Places
from shared.context_rules.rule import ContextRule
from shared.context_rules.selection import ranked
from shared.context_rules.web import Web
from shared.errors import GraphError
from shared.globs import PathIndex, compiled
from shared.model.graph import Recipe
from shared.model.snapshot import Snapshot

CALLS = tuple(sorted(name for name in calls.BUILT_IN if name.startswith("context-rules.")))


class Imported(msgspec.Struct, frozen=True):
    """The recipes, what is odd about the sources, and the rules that a rule names, by source path."""

    recipes: tuple[Recipe, ...]
    warnings: tuple[str, ...]
    references: Mapping[str, tuple[str, ...]]


class Importer:
    """Use once. rule_of: a rule by its path below the folder of rules; None for a file that holds none.

    Raises GraphError when a source is missing or lies behind a symlink that leads out of the tree.
    """

    def __init__(
        self,
        places: Places,
        snapshot: Snapshot,
        config: Config,
        rule_of: Callable[[str], ContextRule | None],
    ) -> None:
        self.places, self.sources, self.config = places, snapshot.sources, config
        self.tools = {name: calls.identity(name) for name in CALLS}
        self.links = Links(snapshot.links, PathIndex(self.sources) if snapshot.links else PathIndex(()), ())
        below = f"{places.rules}/"
        self.paths = sorted(path[len(below) :] for path in self.sources if path.startswith(below))
        self.paths = [path for path in self.paths if path.endswith(".md")]
        self.files = {path: self._given([places.source(path)], places.source(path)) for path in self.paths}
        known = {path: rule_of(path) for path in self.paths}
        self.web = Web((rule for rule in known.values() if rule is not None), places.rules)
        self.broken = {path for path, rule in known.items() if rule is None}
        self.besides = (places.config,) if places.config in self.sources else ()

    def run(self) -> Imported:
        """The recipes of all sources."""
        places = self.places
        if places.project not in self.sources:
            raise GraphError(
                f"missing source {places.project}",
                why="CLAUDE.md and AGENTS.md begin with what it says of the project",
                fix=f"write {places.project}, or take [context-rules] out of windrow.toml",
            )
        warnings = []
        if places.architecture not in self.sources:
            warnings.append(f"there is no {places.architecture}: CLAUDE.md and AGENTS.md go without it")
        if not self.paths:
            warnings.append(f"there are no rules in {places.rules}")
        parsed = [self._parse(path) for path in self.paths]
        chosen = {rule.path for rule in ranked(self.web.rules.values(), self.config.cursor)} | self.broken
        self._refuse_same([path for path in self.paths if path in chosen])
        compiled_ = [self._mdc(path) for path in self.paths if path in chosen]
        references = {places.source(path): tuple(map(places.source, self.web.direct(path))) for path in self.web.rules}
        return Imported((*parsed, *compiled_, *self._whole()), tuple(warnings), references)

    def _refuse_same(self, paths: Iterable[str]) -> None:
        known: dict[str, str] = {}
        for path in paths:
            output, source = self.places.mdc(path), self.places.source(path)
            first = known.setdefault(output, source)
            if first != source:
                raise GraphError(
                    f"two rules make {output}",
                    at=source,
                    why=f"{first} makes it too",
                    fix="rename one of the two files",
                )

    def _recipe(
        self, call: str, words: Iterable[str], inputs: Iterable[str], outputs: tuple[str, ...], at: str
    ) -> Recipe:
        name = f"context-rules.{call}"
        return Recipe(
            id=f"{name}:{outputs[0]}",
            rule=name,
            kind=calls.KIND,
            argv=(name, self.places.home, *words),
            inputs=tuple(sorted(set(inputs))),
            outputs=outputs,
            tools=self.tools[name],
            stored=outputs[0].startswith(f"{self.places.made}/"),
            at=at,
        )

    def _parse(self, path: str) -> Recipe:
        outputs = (self.places.parsed(path), self.places.summary(path))
        return self._recipe("parse", (path,), self.files[path], outputs, self.places.source(path))

    def _mdc(self, path: str) -> Recipe:
        reached = self.web.reached(path) if path in self.web.rules else ()
        inputs = (*(self.places.parsed(other) for other in (path, *reached)), *self.besides)
        return self._recipe("mdc", (path,), inputs, (self.places.mdc(path),), self.places.source(path))

    def _whole(self) -> list[Recipe]:
        places = self.places
        rules_, summaries = (tuple(map(name, self.paths)) for name in (places.parsed, places.summary))
        facts = canonical.encode(self._facts()).decode()
        texts = tuple(path for path in (places.project, places.architecture, *self.besides) if path in self.sources)
        texts = self._given(texts, places.project)
        return [
            self._recipe("lint", (facts,), rules_, (places.checked,), places.rules),
            self._recipe("choose", (), (*rules_, *self.besides), (places.chosen,), places.rules),
            self._recipe("tell", (), (*summaries, *self.besides), (places.told,), places.rules),
            self._recipe("claude", (), (places.chosen, places.checked, *texts), (places.claude,), places.project),
            self._recipe("agents", (), (places.told, places.checked, *texts), (places.agents,), places.project),
        ]

    def _given(self, paths: Iterable[str], at: str) -> tuple[str, ...]:
        """Sources with what they lead to, where they are symlinks."""
        return tuple(sorted(self.links.widen(paths, at))) if self.links else tuple(paths)

    def _facts(self) -> Facts:
        files: set[str] = set()
        outside: set[str] = set()
        for path in self.web.rules:
            for lead in self.web.leads(path):
                if not lead.file:
                    continue
                try:
                    end = self.links.follow(lead.file, path)[1] if self.links else lead.file
                except GraphError:
                    outside.add(lead.file)
                    continue
                if end in self.sources or end in self._folders or end in self._made:
                    files.add(lead.file)
        return Facts(tuple(sorted(files)), tuple(sorted(outside)), tuple(sorted(self._ghosts())))

    @cached_property
    def _made(self) -> frozenset[str]:
        return frozenset((*map(self.places.mdc, self.paths), self.places.claude, self.places.agents))

    @cached_property
    def _folders(self) -> frozenset[str]:
        found: set[str] = set()
        for path in self.sources:
            folder = path.rpartition("/")[0]
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    def _ghosts(self) -> Iterable[str]:
        """The globs that rules give and no file answers to, those of the rules themselves left aside."""
        given = {
            glob for rule in self.web.rules.values() if rule.globs != rules.inferred(rule.path) for glob in rule.globs
        }
        if not given:
            return
        prefix, own = (f"{self.places.beside}/" if self.places.beside else ""), f"{self.places.home}/"
        paths = [
            path[len(prefix) :]
            for path in self.sources
            if path.startswith(prefix) and not path.startswith(own) and path not in self._made
        ]
        for glob in given:
            try:
                # One without a folder is meant for files anywhere.
                pattern = compiled(glob if "/" in glob else f"**/{glob}")
            except ValueError:
                yield glob
                continue
            if not any(map(pattern.matches, paths)):
                yield glob
