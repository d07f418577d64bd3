"""Performers: how the entry point has a project's jobs performed; the coordinator itself knows no worker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

import msgspec

from coordinator.dispatch.performer import Performer

if TYPE_CHECKING:
    from coordinator.project import Project


class Closing(Protocol):
    """Something that is ended by close()."""

    def close(self) -> None:
        """End it."""


class Performers(msgspec.Struct, frozen=True):
    """What makes the performers of a project. Whoever has one made closes it.

    on_farm: given the project, a build and its platform, has the jobs performed on the farm that the settings name.
    here: performs them in this process; warmed up for so many commands that are sure to run, 0 for none.
    calls: starts what performs calls here, while it still loads these targets; None if it does not start, and then the
    jobs that need it tell why.
    """

    on_farm: Callable[[Project, str, str], Performer]
    here: Callable[[Project, int], Performer]
    calls: Callable[[Collection[str]], Closing | None]
