"""Moves the events of committed builds from the live log to the store."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator import refnames
from coordinator.history.eventlog import KINDS, EventLog, encode, kind_of, lines, of_lines
from shared import failpoint
from shared.errors import FarmError, LocalError
from shared.model.event import Event
from shared.model.manifest import revision_name
from shared.storage.refs import RefStore


def archive(refs: RefStore, log: EventLog, project: str, branch: str, revision: int) -> tuple[str, ...]:
    """Store all live events with a revision just committed, then trim the log; what went wrong, if anything did.

    The commit stands either way: what could not be archived stays live, and goes with the next revision.
    """
    try:
        entries = list(log.read())
        events = _new(refs, project, branch, revision, [entry.event for entry in entries])
        for kind in KINDS:
            data = lines(event for event in events if kind_of(event) == kind)
            refs.write(refnames.events(project, branch, revision, kind), data)
        failpoint.hit("events.archived")
        if entries:
            log.trim(entries[-1].cursor)
    except (FarmError, LocalError) as error:
        return (f"the events of {revision_name(revision)} are not archived yet: {error.what} {error.at}".rstrip(),)
    failpoint.hit("events.trimmed")
    return ()


def archived(refs: RefStore, project: str, branch: str, revision: int) -> list[Event] | None:
    """The events stored with a revision, inputs first; None when they are not (all) there; CorruptRecord."""
    events: list[Event] = []
    for kind in KINDS:
        name = refnames.events(project, branch, revision, kind)
        record = refs.read(name)
        if record is None:
            return None
        events += of_lines(record.data, name)
    return events


def _new(refs: RefStore, project: str, branch: str, revision: int, events: Sequence[Event]) -> list[Event]:
    """The events without those that a commit stored before it died untrimmed, and without repetitions."""
    known: set[bytes] = set()
    for earlier in {event.revision for event in events if event.revision < revision}:
        known.update(encode(event) for event in archived(refs, project, branch, earlier) or ())
    fresh = {encode(event): event for event in events}
    return [event for line, event in fresh.items() if line not in known]
