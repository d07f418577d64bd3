"""Builds on the farm, or here when it is away: an imported build is what people have on their screen all day.

Declared projects end with exit 32 when their farm does not answer; see docs/adr/0015-imported-builds-go-on-here.md.
"""

from __future__ import annotations

import msgspec

from coordinator import build as building
from coordinator.progress import BuildObserver
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.request import Request
from coordinator.seed import seed
from shared.errors import FarmError, LockLost, StoreUnavailable
from shared.settings import FarmSettings, Settings, StorageSettings

HASTE = 4.0  # seconds that a farm or a store may keep a person waiting who could build here


def build(project: Project, request: Request, observer: BuildObserver, *, strict: bool) -> BuildReport:
    """As coordinator.build; unless strict, without the farm, and then without its store, where they do not answer."""
    if strict or project.imported is None or not (project.settings.farm.broker or project.settings.storage.url):
        return building.build(project, request, observer)
    settings = project.settings
    hasty = msgspec.structs.replace(
        settings.farm,
        broker_patience=min(settings.farm.broker_patience, HASTE),
        worker_grace=min(settings.farm.worker_grace, HASTE),
    )
    trouble: FarmError | None = None
    for attempt in (msgspec.structs.replace(settings, farm=hasty), *_less(settings)):
        if trouble is not None:
            if isinstance(trouble, StoreUnavailable) and attempt.storage.url:
                continue  # it needs the store all the same
            observer.warned(f"{trouble.what}; building here without it")
        here = _project(project, attempt)
        try:
            return building.build(here, request, observer)
        except LockLost:
            raise
        except FarmError as error:
            trouble = error
    assert trouble is not None
    raise trouble


def _less(settings: Settings) -> list[Settings]:
    """The settings without the broker, and without the store as well."""
    alone = msgspec.structs.replace(settings, farm=FarmSettings())
    return [alone, msgspec.structs.replace(alone, storage=StorageSettings())] if settings.storage.url else [alone]


def _project(project: Project, settings: Settings) -> Project:
    if settings == project.settings:
        return project
    made = Project(settings, environ=project.environ, clock=project.clock, performers=project.performers)
    made.most_load = project.most_load
    if project.settings.storage.url and not settings.storage.url:
        seed(made)
    return made
