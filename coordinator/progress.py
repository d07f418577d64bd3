"""BuildObserver: who is told how a build goes; the terminal, the run record and the event log all are."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from shared.model.graph import BuildGraph
from shared.model.plan import Plan

How = Literal["executed", "cut_off", "local", "remote", "shared"]


class Failure(msgspec.Struct, frozen=True):
    """A job that failed, with all a person needs to see and repeat it; record: what a test job told of its tests."""

    job: str
    rule: str
    exit_code: int
    message: str
    command: str
    output: str
    worker: str = ""
    seconds: float = 0.0
    at: str = ""
    record: str = ""


class BuildObserver(Protocol):
    """Told of each step, in order, from the thread that runs the build."""

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        """Work is about to begin; the plan's jobs are the total."""
        ...

    def added(self, job: str) -> None:
        """A job joined the plan because stored bytes turned out to be gone."""
        ...

    def started(self, job: str, worker: str) -> None:
        """A worker has begun a job."""
        ...

    def finished(self, job: str, how: How, seconds: float) -> None:
        """A job is done; `seconds` is what its command took, then or when it was first run."""
        ...

    def said(self, job: str, text: str) -> None:
        """A job that was executed and succeeded printed something."""
        ...

    def failed(self, failure: Failure) -> None:
        """A job failed for good."""
        ...

    def skipped(self, job: str, because: str) -> None:
        """A job cannot run because of a failed one."""
        ...

    def remaking(self, text: str, why: str, command: str) -> int:
        """The build file is about to be made anew; the descriptor that its maker is to print to, 1 or 2."""
        ...

    def warned(self, text: str) -> None:
        """Something a person should know that stops nothing."""
        ...


class Observers:
    """Tells several observers."""

    def __init__(self, *observers: BuildObserver) -> None:
        self._observers = observers

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.planned(plan, graph, build=build, revision=revision)

    def added(self, job: str) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.added(job)

    def started(self, job: str, worker: str) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.started(job, worker)

    def finished(self, job: str, how: How, seconds: float) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.finished(job, how, seconds)

    def said(self, job: str, text: str) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.said(job, text)

    def failed(self, failure: Failure) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.failed(failure)

    def skipped(self, job: str, because: str) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.skipped(job, because)

    def remaking(self, text: str, why: str, command: str) -> int:
        """See BuildObserver."""
        return max(observer.remaking(text, why, command) for observer in self._observers)

    def warned(self, text: str) -> None:
        """See BuildObserver."""
        for observer in self._observers:
            observer.warned(text)
