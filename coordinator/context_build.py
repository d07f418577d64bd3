"""The context rules of a project: their sources, read once for each content, and what they come to in a tree."""

from __future__ import annotations

from coordinator.importers.context_rules import CALLS, Imported, Importer
from shared import calls
from shared.context_rules import config as configs
from shared.context_rules import rule as rules
from shared.context_rules.config import Config
from shared.context_rules.places import Places
from shared.context_rules.rule import ContextRule
from shared.context_rules.yaml_text import Faulty
from shared.errors import ConfigError, named
from shared.model.snapshot import Snapshot
from shared.settings import Settings


class ContextBuild:
    """The context rules of a project whose settings have `[context-rules]`."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.places = settings, Places(settings.context_rules)
        self._rules: dict[tuple[str, str], ContextRule | None] = {}

    @property
    def made_from(self) -> list[str]:
        """What the recipes are made from besides the tree."""
        return [self.places.home, *map(calls.identity, CALLS)]

    def recipes(self, snapshot: Snapshot) -> Imported:
        """The recipes of all sources in a tree; ConfigError for a config.yaml that cannot be used, GraphError."""
        config, odd = self._config(snapshot)

        def rule_of(path: str) -> ContextRule | None:
            return self._rule(path, snapshot.sources[self.places.source(path)].hash)

        imported = Importer(self.places, snapshot, config, rule_of).run()
        warnings = (*(f"{self.places.config}: {warning}" for warning in odd), *imported.warnings)
        return Imported(imported.recipes, warnings, imported.references)

    def _config(self, snapshot: Snapshot) -> tuple[Config, tuple[str, ...]]:
        if self.places.config not in snapshot.sources:
            return Config(), ()
        try:
            return configs.parse(self._read(self.places.config))
        except Faulty as faulty:
            raise ConfigError(
                f"{self.places.config} cannot be used",
                at=f"{self.places.config}:{faulty.line}",
                why=faulty.why,
                fix="docs/guide/context-rules.md lists what it may hold",
            ) from faulty

    def _rule(self, path: str, hash_: str) -> ContextRule | None:
        """A rule; None for a file that holds none: its job fails, and says why."""
        if (path, hash_) not in self._rules:
            # Were the file written since it was looked at, its job would notice, and everything be looked at again.
            try:
                self._rules[path, hash_] = rules.parse(path, self._read(self.places.source(path)))
            except Faulty:
                self._rules[path, hash_] = None
        return self._rules[path, hash_]

    def _read(self, path: str) -> bytes:
        try:
            return (self.settings.root / path).read_bytes()
        except OSError as error:
            raise named(error, path, "reading") from error
