"""Results: action results and traces by key, answering only when every blob they name is present."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from shared.model.action import ActionResult, Trace

Source = Literal["local", "remote"]


class Hit(NamedTuple):
    """A result and the tier that knew it."""

    result: ActionResult
    source: Source


class Results(Protocol):
    """Action results by action key, and traces by trace key; both shared by all projects.

    get answers only if every blob the result names is present (and then notes the use of them all); a
    record that cannot be read, or is of an unknown schema, is a miss. put keeps the first result of a key
    unless `replace`. Thread-safe.
    """

    def get(self, key: str, *, whole: bool = True) -> Hit | None:
        """The result stored under a key.

        Without `whole` a store far away is not asked for the blobs: for whoever fetches or asks for them all next, and
        takes a missing one for a miss.
        """
        ...

    def put(self, result: ActionResult, *, replace: bool = False) -> None:
        """Store a result under its key; its blobs are in the blob store already."""
        ...

    def traces(self, key: str) -> tuple[Trace, ...]:
        """The traces known under a trace key, newest first; at most 8."""
        ...

    def add_trace(self, key: str, trace: Trace) -> None:
        """Put a trace first among those of its key."""
        ...
