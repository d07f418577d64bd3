"""Request: what is asked of a build."""

from __future__ import annotations

from typing import Literal

import msgspec

from coordinator.survey import Question


class Request(msgspec.Struct, frozen=True):
    """What is asked of a build. wait and timeout are seconds; wait None waits without limit.

    failures: how many failed jobs end it; 0 for any number.
    """

    targets: tuple[str, ...] = ()
    full: bool = False
    no_cache: bool = False
    verify: bool = False
    failures: int = 1
    up_to_layer: int | None = None
    schedule: Literal["ready", "layers"] = "ready"
    wait: float | None = 0.0
    timeout: float | None = None
    require_cached: bool = False

    @property
    def question(self) -> Question:
        """The part a survey needs."""
        return Question(self.targets, self.full or self.no_cache, self.verify)
