"""Request: what is asked of a build."""

from __future__ import annotations

from typing import Literal

import msgspec

Download = Literal["all", "targets", "none"]


class Question(msgspec.Struct, frozen=True):
    """What a survey is asked: which targets (none: all), and whether to mark everything or re-read every file.

    download: which outputs the workspace is to hold; others that are not there are in the store, and that will do.
    all_tests: whether to mark every test job.
    """

    targets: tuple[str, ...] = ()
    full: bool = False
    verify: bool = False
    download: Download = "all"
    all_tests: bool = False


class Request(msgspec.Struct, frozen=True):
    """What is asked of a build. wait and timeout are seconds; wait None waits without limit.

    failures: how many failed jobs end it; 0 for any number. download: which outputs of an imported build are to be in
    the workspace: all, those of the targets, or only what commands need that run there. all_tests: run every test job,
    whatever is stored. commit: whether a new revision is made of it. base: the hash of the manifest that it must start
    from ("" for none), where that matters. typed: the targets as `rest.typed` writes them down; "" if nobody typed any.
    keep_response_files: leave those of imported commands in the tree, as those of failed ones are. keep_depfiles: leave
    those too that are taken in. at_once: how many jobs may run at once, here and on the farm together; 0 for as many as
    there are slots. remade: the build file was seen to a moment ago.
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
    download: Download = "all"
    all_tests: bool = False
    commit: bool = True
    base: str | None = None
    typed: str = ""
    keep_response_files: bool = False
    keep_depfiles: bool = False
    at_once: int = 0
    remade: bool = False

    @property
    def question(self) -> Question:
        """The part a survey needs."""
        return Question(self.targets, self.full or self.no_cache, self.verify, self.download, self.all_tests)
