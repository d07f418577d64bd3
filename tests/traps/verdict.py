"""What a trap is, and what an engine made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Verdict(IntEnum):
    """From good to bad; the worst thing seen in a scenario is its verdict."""

    RIGHT = 0
    NEEDLESS = 1  # right, after running more than it had to
    STALE = 2  # said all was well, and left something else than a clean build leaves
    WRONG = 3  # failed where a clean build does not, or the other way round; crashed, or never ended


class NotExpressible(Exception):
    """The engine's build files cannot say this."""


@dataclass(frozen=True)
class Step:
    """One command with its files. `command` is run by sh and holds its paths in full.

    inputs may be globs where the engine has them. With a depfile, `inputs` is the source it is about, `may_read`
    are globs of what it may find besides, and `after` are files that have to be there before it starts.
    """

    name: str
    command: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    depfile: str = ""
    may_read: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """How a build ended: exit code, names of the steps it ran, what it printed, and Windrow's own report."""

    code: int
    ran: tuple[str, ...]
    output: str
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trap:
    """A named scenario. only: the engines it makes sense for (none: all). known: why Windrow is not right yet."""

    number: int
    name: str
    title: str
    run: Callable[[Any], None]
    only: tuple[str, ...] = ()
    known: str = ""

    @property
    def test_name(self) -> str:
        """The name of its test."""
        return f"test_trap_{self.number:02}_{self.name}"


TRAPS: list[Trap] = []


def trap(
    number: int, *, only: tuple[str, ...] = (), known: str = ""
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Registers a scenario; its name is the function's, its title the docstring's first line."""

    def register(run: Callable[[Any], None]) -> Callable[[Any], None]:
        assert run.__doc__, run.__name__
        title = run.__doc__.strip().splitlines()[0].rstrip(".")
        TRAPS.append(Trap(number, run.__name__, title, run, only, known))
        return run

    return register
