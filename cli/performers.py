"""Where jobs are performed: on the farm when a broker is set, else by a worker in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from coordinator.dispatch.performer import Performer
from coordinator.project import Performers, Project
from shared.errors import LocalError

if TYPE_CHECKING:
    from workers.execute.slot import Slot
    from workers.sandbox.memory import Memory


def slots_of(jobs: int) -> int:
    """Parallel jobs: as set, else one a core this process may use."""
    return jobs or len(os.sched_getaffinity(0))


def on_farm(project: Project, build: str, platform: str) -> Performer:
    """A performer on the farm that the project's settings name."""
    from coordinator.dispatch.fanout import FarmPerformer  # noqa: PLC0415 - celery and redis

    return FarmPerformer(
        settings=project.settings.farm,
        build=build,
        place=project.place,
        platform=platform,
        tools=project.tools.named(),
        blobs=project.stores.blobs,
        clock=project.clock,
    )


def here(project: Project, commands: int) -> Performer:
    """A performer in this process; what starts slowly is started already, for so many commands that are sure to run."""
    from coordinator.dispatch.inline import InlinePerformer  # noqa: PLC0415 - threads and subprocesses
    from workers.perform import Worker  # noqa: PLC0415
    from workers.workshop import Workshop  # noqa: PLC0415

    slots = slots_of(project.settings.jobs)
    worker = Worker(
        Workshop(
            blobs=project.stores.blobs,
            results=project.stores.results,
            name="here",
            sandbox_root=sandbox_root(project.settings.cache_dir),
            slots=slots,
            clock=project.clock,
            memory=sandbox_memory(),
            workspace=project.settings.root if project.imported else None,
            patience=project.settings.store_patience,
            calls=cast("Slot | None", project.take_calls()),
        )
    )
    if commands:
        with suppress(LocalError):  # told by the first job that needs it
            worker.prepare(commands, rooted=project.imported is not None)
    most = project.most_load
    free = (lambda: os.getloadavg()[0] < most) if most > 0 else None
    return InlinePerformer(worker.perform, worker.cancel_all, slots, close=worker.close, free=free)


def start_calls(targets: Collection[str]) -> Slot | None:
    """What performs calls here, while it still loads these targets; None if it does not start: jobs tell why."""
    from workers.execute.slot import CALLS, Slot  # noqa: PLC0415 - only where calls are to be performed

    slot = Slot((*CALLS, json.dumps(sorted(targets))))
    try:
        slot.start()
    except LocalError:
        return None
    return slot


PERFORMERS = Performers(on_farm=on_farm, here=here, calls=start_calls)


def sandbox_root(cache_dir: Path) -> Path:
    """Where jobs get their directories: $WINDROW_SANDBOX_DIR, else beside the local store."""
    return Path(os.environ.get("WINDROW_SANDBOX_DIR") or cache_dir / "sandbox")


def sandbox_memory() -> Memory | None:
    """Where small jobs get theirs in memory, unless $WINDROW_SANDBOX_DIR says where."""
    if os.environ.get("WINDROW_SANDBOX_DIR"):
        return None
    from workers.sandbox.memory import find  # noqa: PLC0415 - not for a build with nothing to do

    return find(os.environ)
