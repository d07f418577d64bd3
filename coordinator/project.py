"""Project: the parts a build is made with, put together from settings. The composition root of the coordinator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from coordinator import refnames, rest
from coordinator.commit import base as bases
from coordinator.commit import publish as publishing
from coordinator.commit.base import Base
from coordinator.commit.left import note_left
from coordinator.dispatch.performer import Performer
from coordinator.importers.declared import fingerprint
from coordinator.lock.lease import BuildLock, Lease
from coordinator.tools import Tools
from shared import hashing
from shared.clock import Clock, iso
from shared.errors import UsageError
from shared.model.graph import Recipe
from shared.model.manifest import Manifest
from shared.settings import Settings
from shared.settings_load import settings_files
from shared.storage.compose import Stores, open_stores
from shared.storage.disk_refs import DiskRefs

if TYPE_CHECKING:
    from coordinator.ahead import Ahead
    from coordinator.blueprint import ProjectBlueprint
    from coordinator.context.build import ContextBuild
    from coordinator.dispatch.permits import RedisPermits
    from coordinator.dispatch.tree import RunTree
    from coordinator.history.eventlog import EventLog
    from coordinator.imported.build import ImportedBuild
    from coordinator.imported.headers import Headers
    from coordinator.python.code import PythonCode
    from coordinator.scan.beyond import Beyond


class Closing(Protocol):
    """Something that is ended by close()."""

    def close(self) -> None:
        """End it."""


class Performers(msgspec.Struct, frozen=True):
    """How the entry point has a project's jobs performed; the coordinator knows no worker. Who has one made closes it.

    on_farm: given the project, a build and its platform, has the jobs performed on the farm that the settings name.
    here: performs them in this process; warmed up for so many commands that are sure to run, 0 for none.
    calls: starts what performs calls here, while it still loads these targets; None if it does not start, and then the
    jobs that need it tell why.
    """

    on_farm: Callable[[Project, str, str], Performer]
    here: Callable[[Project, int], Performer]
    calls: Callable[[Collection[str]], Closing | None]



class Project:
    """A named build in one working copy. Stores are opened when first asked for. performers: None to run no jobs."""

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        performers: Performers | None = None,
        stores: Stores | None = None,
    ) -> None:
        self.settings, self.environ, self.clock = settings, environ, clock
        self.performers = performers
        self._calls: Closing | None = None
        self._ahead: Ahead[Performer] | None = None
        self._failed: Ahead[dict[str, str]] | None = None
        self._given_stores = stores
        # What these settings were read from, and when: they may be edited while a build looks at the tree.
        self.opened = clock.monotonic()
        self.files = {str(path): rest.look(str(path)) for path in settings_files(settings.root, environ)}
        self.warnings: list[str] = []
        # What files of the tree are to hold once a build begins, by path.
        self.pending: dict[str, bytes] = {}
        # Whether the graph has the jobs that record what tests execute.
        self.recording = False
        # The load average from which on no further job begins on this machine; 0 for any.
        self.most_load = 0.0

    @cached_property
    def stores(self) -> Stores:
        """Where blobs, results and records are."""
        return self._given_stores or open_stores(self.settings)

    @property
    def name(self) -> tuple[str, str]:
        """Project and branch."""
        return self.settings.project, self.settings.branch

    @property
    def place(self) -> str:
        """How keys on the broker name this project and branch, e.g. `projects/hello/main`."""
        return refnames.folder(*self.name).removesuffix("/")

    def load_base(self, known: Base | None = None) -> Base:
        """What the next build starts from: what is known of it already, while that is still so."""
        state = self.settings.state_dir
        local, outdated = state / "manifest.json", partial(note_left, state)
        return bases.load(self.stores.refs, *self.name, local=local, known=known, outdated=outdated)

    def publish(self, base: Base, draft: Manifest, lease: Lease) -> Base:
        """Commit a draft on top of its base."""
        local = self.settings.state_dir / "manifest.json"
        return publishing.publish(self.stores.refs, base, draft, lease, now=iso(self.clock.now()), local=local)

    def lock(self) -> BuildLock:
        """The lock of this project and branch: on the broker when there is one, else beside the records."""
        settings = self.settings
        if settings.farm.broker:
            from coordinator.lock.redis import RedisLock  # noqa: PLC0415 - redis

            farm = settings.farm
            return RedisLock(farm.broker, self.place, self.clock, lease=settings.lease, patience=farm.broker_patience)
        from coordinator.lock.file import FileLock  # noqa: PLC0415 - not for a build with nothing to do

        return FileLock(self._home / self.place, self.clock, lease=settings.lease)

    @cached_property
    def tools(self) -> Tools:
        """The tools that commands of the project run."""
        imported, blueprint = self.imported, self.blueprint
        return Tools(
            self.settings,
            self.environ.get("PATH", ""),
            programs=(lambda: imported.programs) if imported is not None else tuple,
            called=blueprint.call_files if blueprint is not None else set,
        )

    @cached_property
    def imported(self) -> ImportedBuild | None:
        """The build.ninja of the project, if its settings name one."""
        if self.settings.ninja is None:
            return None
        from coordinator.imported.build import ImportedBuild  # noqa: PLC0415 - only for projects that have one

        return ImportedBuild(self.settings, self.settings.ninja)

    @cached_property
    def beyond(self) -> Beyond:
        """The files outside the tree that jobs read."""
        if self.imported is not None:
            return self.imported.beyond
        from coordinator.scan.beyond import Beyond  # noqa: PLC0415 - only where a job is known to read some

        return Beyond(self.settings.state_dir)

    def beyond_changed(self, manifest: Manifest | None) -> dict[str, str]:
        """The files outside the tree that jobs read and that hold something else now, with what; "" for nothing."""
        if manifest is None or not manifest.beyond or self.settings.fingerprint:
            return {}
        held = self.beyond.held
        return {path: now for path, was in manifest.beyond.items() if (now := held(path)) != was}

    @cached_property
    def context(self) -> ContextBuild | None:
        """The context rules of the project, if its settings say that it has any."""
        if not self.settings.context_rules:
            return None
        from coordinator.context.build import ContextBuild  # noqa: PLC0415 - only for projects that have them

        return ContextBuild(self.settings)

    @cached_property
    def code(self) -> PythonCode | None:
        """The Python files of the project, if it has tests or rules that follow imports."""
        settings = self.settings
        if settings.tests is None and not any(rule.imports for rule in settings.rules):
            return None
        from coordinator.python.code import PythonCode  # noqa: PLC0415 - only for projects that have any

        return PythonCode(settings, self.environ)

    @cached_property
    def blueprint(self) -> ProjectBlueprint | None:
        """The blueprint of the project, if its settings name one."""
        if self.settings.blueprint is None:
            return None
        from coordinator.blueprint import ProjectBlueprint  # noqa: PLC0415 - only for projects that have one

        return ProjectBlueprint(self.settings, self.settings.blueprint, self.pending)

    def blob_folders(self) -> set[str]:
        """The folders that local blobs lie in."""
        blobs = self.stores.local.root / "blobs"
        return {str(blobs)} | {str(folder) for folder in blobs.iterdir()} if blobs.is_dir() else set()

    def lost(self, manifest: Manifest | None) -> frozenset[str]:
        """Outputs whose blob is gone, where that costs only a stat each; elsewhere it shows when a job needs them."""
        if manifest is None or self.stores.remote:
            return frozenset()
        missing = self.stores.blobs.find_missing({made.hash for made in manifest.artefacts.values()})
        return frozenset(path for path, made in manifest.artefacts.items() if made.hash in missing)

    def performer(self, build: str, platform: str) -> Performer:
        """What has this build's jobs performed."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead.take()
        if self.performers is None:
            raise UsageError("this command runs no jobs")
        if not self.settings.farm.broker:
            return self.performers.here(self, 0)
        self.stores.warm_up()  # who waits for a farm has the time
        return self.performers.on_farm(self, build, platform)

    def get_ready(self, jobs: int) -> None:
        """Have the performer made and warmed up meanwhile, for so many commands that are sure to run; not on a farm."""
        performers = self.performers
        if jobs and performers is not None and not self.settings.farm.broker:
            from coordinator.ahead import Ahead  # noqa: PLC0415 - only where jobs run

            self._ahead = Ahead(lambda: performers.here(self, jobs), "windrow-ahead")

    def permits(self, build: str) -> RedisPermits | None:
        """What bounds rate keys in all builds that share the broker; None without one, or without rate keys."""
        if not self.settings.farm.broker or self.blueprint is None or not self.blueprint.blueprint.rates:
            return None
        from coordinator.dispatch.permits import RedisPermits  # noqa: PLC0415 - for blueprints on a farm

        farm, rates = self.settings.farm, self.blueprint.blueprint.rates
        return RedisPermits(farm.broker, rates, build=build, clock=self.clock, patience=farm.broker_patience)

    @contextmanager
    def calls_ahead(self) -> Iterator[Callable[[Collection[str]], None]]:
        """A function that starts what performs calls, given the first targets, before there is a performer.

        Nothing happens without targets, a second time, or on a farm. What was started ahead, also by `get_ready`, and
        nobody took is ended with the block.
        """
        performers = None if self.settings.farm.broker else self.performers
        done = False

        def start(targets: Collection[str]) -> None:
            nonlocal done
            if targets and not done and performers is not None:
                done = True
                self._calls = performers.calls(targets)

        try:
            yield start
        finally:
            ahead, self._ahead = self._ahead, None
            for left in (ahead.left() if ahead is not None else None, self.take_calls()):
                if left is not None:
                    left.close()

    def take_calls(self) -> Closing | None:
        """What was started ahead, for a performer to use and to close; once."""
        taken, self._calls = self._calls, None
        return taken

    def performer_here(self) -> Callable[[], Performer] | None:
        """What performs the jobs that must run on this machine, where the others run on the farm."""
        if not self.settings.farm.broker or self.performers is None:
            return None
        return partial(self.performers.here, self, 0)

    @cached_property
    def _headers(self) -> Headers:
        from coordinator.imported.headers import Headers  # noqa: PLC0415 - only for projects with a build.ninja

        return Headers(self.settings, self.stores.blobs)

    def includes(self, recipe: Recipe, tree: RunTree) -> Iterable[str]:
        """The headers that a compile of an imported build is given before it has run."""
        return self._headers(recipe, tree)

    def save_learnt(self) -> str:
        """Keep what was learnt of files for the next build; a warning if that cannot be done."""
        self.beyond.save()
        learnt = (self.code.save() if self.code else "") or (self.context.save_learnt() if self.context else "")
        if self.imported is None:
            return learnt
        self.imported.save()
        # Where nothing was scanned, nothing was learnt.
        return (self._headers.save() if "_headers" in vars(self) else "") or learnt

    def event_log(self) -> EventLog:
        """Where the events of running builds go: a stream on the broker, else files beside the records."""
        farm = self.settings.farm
        if farm.broker:
            from coordinator.history.redis_log import RedisLog  # noqa: PLC0415 - redis

            return RedisLog(farm.broker, self.place, self.clock, patience=farm.broker_patience)
        from coordinator.history.file_log import FileLog  # noqa: PLC0415 - not for a build with nothing to do

        return FileLog(self._home / self.place / "events", self.warnings.append)

    @property
    def _home(self) -> Path:
        """The folder of the records where they are files; with a bucket and no broker at least this machine's."""
        refs = self.stores.refs
        return refs.root if isinstance(refs, DiskRefs) else self.stores.local_refs.root

    def look_at_failures(self) -> None:
        """Begin to ask a store that is elsewhere what failed, while the graph is made."""
        if self.stores.remote and self._failed is None:
            from coordinator.ahead import Ahead  # noqa: PLC0415 - only for stores that are elsewhere

            self._failed = Ahead(self._failures, "windrow-failures")

    def failed_before(self) -> dict[str, str]:
        """Job to build, for the jobs that failed when last tried."""
        ahead, self._failed = self._failed, None
        return self._failures() if ahead is None else ahead.take()

    def _failures(self) -> dict[str, str]:
        from coordinator.history.runs import failed_jobs  # noqa: PLC0415 - not for a build with nothing to do

        return failed_jobs(self.stores.refs, *self.name)

    def made_from(self) -> str:
        """The digest of everything the graph is made from besides the tree."""
        declared = fingerprint(self.settings, platform=self.tools.platform(), environ=self.environ)
        if self.context is not None:
            declared = hashing.of_value([declared, self.context.made_from])
        if self.code is not None and (tests := self.code.digest()):
            declared = hashing.of_value([declared, tests])
        if self.blueprint is not None:
            declared = hashing.of_value([declared, self.blueprint.digest()])
        if self.imported is None:
            return declared
        passed = self.imported.passed(self.environ)
        late = sorted((name, list(late)) for name, late in self.imported.late.items())
        return hashing.of_value([declared, self.imported.digest, late, self.imported.beyond_named(), passed])
