"""The four steps of a build, each to be called alone and as often as one likes: load, plan, execute a layer, save.

They are the build page (coordinator/build.py) asked for a part of what it does; nothing is done in another way here.
"""

from __future__ import annotations

import msgspec

from coordinator import build as building
from coordinator.commit.base import Base
from coordinator.progress import BuildObserver
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.request import Request
from coordinator.survey import Survey


def load_manifest(project: Project) -> Base:
    """What the next build starts from. StoreUnavailable, SchemaUnknown."""
    return project.load_base()


def compute_plan(project: Project, request: Request) -> Survey:
    """What a build would do now, with what is pending; nothing is written. GraphError, ConfigError, LocalError."""
    return building.look(project, request)


def execute_layer(project: Project, request: Request, layer: int, observer: BuildObserver, *, base: str) -> BuildReport:
    """Execute what is missing of the layers up to this one (from 0); what is done already is taken as it is.

    base: the hash of the manifest the plan was made on; Conflict when another is current. Nothing is committed.
    """
    part = msgspec.structs.replace(request, up_to_layer=layer, schedule="layers", commit=False, base=base)
    return building.build(project, part, observer)


def save_manifest(project: Project, request: Request, observer: BuildObserver, *, base: str) -> BuildReport:
    """Commit the revision of a plan whose every layer was executed; Conflict when its base is no longer current.

    A job without a stored result fails: it is not executed here.
    """
    whole = msgspec.structs.replace(request, require_cached=True, base=base)
    return building.build(project, whole, observer)
