"""The context rules of a project: their sources, read once for each content, and what they come to in a tree."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from coordinator.context import export as exports
from coordinator.context.cache import RuleCache
from coordinator.context.export import Export, Unusable
from coordinator.importers.context_rules import CALLS, Imported, Importer
from coordinator.lock.lease import Holder
from coordinator.request import Request
from coordinator.scan.scanner import Scan
from shared import atomic, calls
from shared.context_rules import config as configs
from shared.context_rules import rule as rules
from shared.context_rules.config import Config
from shared.context_rules.places import Places
from shared.context_rules.rule import ContextRule
from shared.context_rules.yaml_text import Faulty
from shared.errors import ConfigError, LocalError, named
from shared.model.changes import ChangeSet
from shared.model.graph import BuildGraph
from shared.model.snapshot import Snapshot
from shared.settings import Settings


class ContextBuild:
    """The context rules of a project whose settings have `[context-rules]`."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.places = settings, Places(settings.context_rules)
        self.manifest, self.lock = settings.root / self.places.manifest, settings.root / self.places.lock
        self._references: Mapping[str, tuple[str, ...]] = {}
        self._read_before = RuleCache(settings.state_dir, self.made_from)

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
        self._references = imported.references
        warnings = (*(f"{self.places.config}: {warning}" for warning in odd), *imported.warnings)
        return Imported(imported.recipes, warnings, imported.references)

    def first_calls(self, changes: ChangeSet) -> tuple[str, ...]:
        """The calls that certainly follow on changes of the sources, as far as that shows without a graph."""
        below = f"{self.places.rules}/"
        if any(path.startswith(below) and path.endswith(".md") for path in (*changes.added, *changes.modified)):
            return ("context-rules.parse",)
        return ()

    # -- files that others know -----------------------------------------------------------------------

    def heed(self, request: Request, warn: Callable[[str], None]) -> Request:
        """The request, widened to a full build where `.build-manifest.json` is not there or says nothing."""
        if request.targets:
            return request
        try:
            there = exports.read(self.manifest)
        except Unusable as why:
            warn(f"{self.places.manifest}: {why}; building fully")
            return msgspec.structs.replace(request, full=True, no_cache=True)
        # Whoever has never built here may find the results in the store.
        return request if there else msgspec.structs.replace(request, full=True)

    def ignore(self) -> bool:
        """Have git ignore what only this machine needs, at the first build here; whether that had to be done."""
        if self.manifest.exists():
            return False
        path = self.settings.root / ".gitignore"
        try:
            had = path.read_text() if path.exists() else ""
        except OSError as error:
            raise named(error, path, "reading") from error
        lines = {line.strip().removeprefix("/") for line in had.splitlines()}
        missing = [name for name in (self.places.manifest, self.places.lock) if name not in lines]
        if missing:
            text = had + ("\n" if had and not had.endswith("\n") else "") + "".join(f"/{name}\n" for name in missing)
            atomic.write_atomic(path, text.encode(), durable=False)
        return bool(missing)

    @contextmanager
    def announced(self, holder: Holder) -> Iterator[None]:
        """Say in `.build.lock` who builds, for people and other tools; what decides is the build lock."""
        atomic.sweep(self.lock.parent)
        told = {"pid": holder.pid, "timestamp": holder.since, "hostname": holder.host}
        atomic.write_atomic(self.lock, json.dumps(told).encode() + b"\n", durable=False)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # whoever made it impossible wants it so
                self.lock.unlink()

    def export(
        self, graph: BuildGraph, scan: Scan, snapshot: Snapshot, good: Collection[str], *, now: str, whole: bool
    ) -> str:
        """Write `.build-manifest.json` anew; a warning if it cannot be: nothing but time depends on it."""
        files = exports.entries(
            graph,
            snapshot,
            good,
            home=self.places.home,
            modified=scan.modified,
            references=self._references,
        )
        return self._write(Export(exports.VERSION, now, files, partial=not whole))

    def retouch(self, scan: Scan, touched: Collection[str]) -> str:
        """Note the times of sources that were touched and not changed; a warning if that cannot be done."""
        below = f"{self.places.home}/"
        paths = {path.removeprefix(below): path for path in touched if path.startswith(below)}
        try:
            there = exports.read(self.manifest) if paths else None
        except (Unusable, LocalError):
            return ""  # the next build that does something says so
        if there is None or paths.keys().isdisjoint(there.files):
            return ""
        files = {
            name: msgspec.structs.replace(entry, mtime=scan.modified(paths[name]) // 1_000_000_000)
            if name in paths
            else entry
            for name, entry in there.files.items()
        }
        return self._write(msgspec.structs.replace(there, files=files))

    def _write(self, export: Export) -> str:
        try:
            exports.write(self.manifest, export)
        except LocalError as error:
            return f"{self.places.manifest} was not written: {error.what}"
        return ""

    # -- reading --------------------------------------------------------------------------------------

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

        def parse() -> ContextRule | None:
            # Were the file written since it was looked at, its job would notice, and everything be looked at again.
            try:
                return rules.parse(path, self._read(self.places.source(path)))
            except Faulty:
                return None

        return self._read_before.get(path, hash_, parse)

    def save_learnt(self) -> str:
        """Keep what was read for the next build; a warning if that cannot be done."""
        return self._read_before.save()

    def _read(self, path: str) -> bytes:
        try:
            return (self.settings.root / path).read_bytes()
        except OSError as error:
            raise named(error, path, "reading") from error
