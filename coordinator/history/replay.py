"""Rebuilds the state of a project from its archived events alone; the check that log and manifest agree."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from coordinator.commit.base import read_manifest
from coordinator.history.archive import archived
from shared.model.event import Changed, Event, IngestEvent, InputEvent
from shared.model.manifest import Manifest
from shared.storage.refs import RefStore


class State(msgspec.Struct, frozen=True):
    """Digest by path, and by id those of a blueprint's inputs, as events tell."""

    sources: dict[str, str]
    artefacts: dict[str, str]
    ingested: dict[str, str] = {}
    inputs: dict[str, str] = {}


class Replay(msgspec.Struct, frozen=True):
    """What a check found. differences: between events and manifest, in words. gaps: revisions whose events are gone."""

    differences: tuple[str, ...]
    gaps: tuple[int, ...] = ()


def check(refs: RefStore, manifest: Manifest, live: Iterable[Event] = ()) -> Replay:
    """Compare a manifest with what the events up to its revision say; CorruptRecord, StoreUnavailable.

    live: events that are not archived yet. A build that died before it could archive its own left them to the next.
    """
    events: list[Event] = []
    links = chain(refs, manifest)
    kept = [archived(refs, manifest.project, manifest.branch, link.revision) for link in links]
    by_build: dict[str, list[Event]] = {}
    for event in (*(event for found in reversed(kept) for event in found or ()), *live):
        # Events of builds that committed nothing are stored with the next that did.
        by_build.setdefault(event.build, []).append(event)
    # Collection may have taken what the oldest one kept was built on.
    gaps = [links[-1].base_revision] if links[-1].base_revision else []
    for link, found in zip(reversed(links), reversed(kept), strict=True):
        own = by_build.get(link.build, [])
        if found is None and not own:
            gaps.append(link.revision)
            continue
        if link.base_revision == 0:
            events.clear()
        events += own
    if gaps:
        return Replay((), tuple(gaps))
    return Replay(tuple(differences(manifest, rebuild(events))))


def chain(refs: RefStore, manifest: Manifest) -> list[Manifest]:
    """A manifest and those it was built on, newest first, as far back as they are kept."""
    links = [manifest]
    while (last := links[-1]).base_revision:
        base = read_manifest(refs, last.project, last.branch, last.base_revision)
        if base is None:
            break
        links.append(base)
    return links


def rebuild(events: Iterable[Event]) -> State:
    """The state after these events, all of committed builds, in order."""
    state = State({}, {}, {}, {})
    for event in events:
        if isinstance(event, IngestEvent):
            _note(state.ingested, event)
        elif isinstance(event, InputEvent):
            _note(state.sources if event.what == "source" else state.inputs, event)
        elif event.status == "removed":
            state.artefacts.pop(event.artefact, None)
        elif event.status in ("executed", "reused", "edited"):
            state.artefacts[event.artefact] = event.hash
    return state


def _note(known: dict[str, str], event: Changed) -> None:
    if event.change == "deleted":
        known.pop(event.id, None)
    else:
        known[event.id] = event.hash


def differences(manifest: Manifest, state: State) -> list[str]:
    """Every path on which a manifest and a state differ, in words."""
    found: list[str] = []
    sources = {path: file.hash for path, file in manifest.sources.items()}
    artefacts = {path: artefact.hash for path, artefact in manifest.artefacts.items()}
    ingested = {path: file.hash for path, file in manifest.ingested.items()}
    for word, true, told in (
        ("source", sources, state.sources),
        ("artefact", artefacts, state.artefacts),
        ("ingested file", ingested, state.ingested),
        ("input", manifest.inputs, state.inputs),
    ):
        found += [
            f"{word} {path}: {true.get(path, 'absent')} in the manifest, {told.get(path, 'absent')} by the events"
            for path in sorted({*true, *told})
            if true.get(path) != told.get(path)
        ]
    return found
