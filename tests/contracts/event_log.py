"""What every EventLog must do; a test module gives it a fixture `open_log` that opens the same log again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from coordinator.history.archive import archive, archived
from coordinator.history.eventlog import EventLog
from shared.model.event import ArtefactEvent, InputEvent
from shared.storage.memory import MemoryRefs

OpenLog = Callable[[], EventLog]
NOW = "2026-11-21T00:00:00.000Z"


def source(path: str, *, build: str = "b-1", revision: int = 1, text: str = "") -> InputEvent:
    """A source that was added."""
    return InputEvent(path, revision, f"sha256:{text or path}", "added", build, NOW)


def artefact(path: str, *, build: str = "b-1", revision: int = 1) -> ArtefactEvent:
    """An artefact that was made."""
    return ArtefactEvent(path, revision, "", f"sha256:{path}", 1, "executed", "cc", build, NOW)


class EventLogContract:
    """The tests."""

    def test_events_come_back_in_the_order_of_their_kind(self, open_log: OpenLog) -> None:
        open_log().append([source("a.c"), artefact("a.o"), source("b.c")])
        open_log().append([artefact("b.o")])

        events = [entry.event for entry in open_log().read()]

        assert [e.id for e in events if isinstance(e, InputEvent)] == ["a.c", "b.c"]
        assert [e.artefact for e in events if isinstance(e, ArtefactEvent)] == ["a.o", "b.o"]

    def test_an_empty_log_has_nothing_to_read(self, open_log: OpenLog) -> None:
        open_log().append([])

        assert list(open_log().read()) == []

    def test_reading_on_from_a_cursor_gives_only_what_is_new(self, open_log: OpenLog) -> None:
        log = open_log()
        log.append([source("a.c"), artefact("a.o")])
        cursor = list(log.read())[-1].cursor
        log.append([source("b.c"), artefact("b.o")])

        assert [entry.event for entry in log.read(cursor)] == [source("b.c"), artefact("b.o")]
        assert list(log.read(list(log.read())[-1].cursor)) == []

    def test_every_cursor_is_a_place_to_read_on_from(self, open_log: OpenLog) -> None:
        log = open_log()
        log.append([source("a.c"), source("b.c"), artefact("a.o"), artefact("b.o")])
        entries = list(log.read())

        for number, entry in enumerate(entries, 1):
            assert list(log.read(entry.cursor)) == entries[number:]

    def test_trimming_forgets_what_was_read_and_keeps_cursors_good(self, open_log: OpenLog) -> None:
        log = open_log()
        log.append([source("a.c"), artefact("a.o")])
        cursor = list(log.read())[-1].cursor
        log.append([source("b.c"), artefact("b.o")])

        log.trim(cursor)

        kept = [entry.event for entry in open_log().read()]
        assert kept == [source("b.c"), artefact("b.o")] == [entry.event for entry in log.read(cursor)]
        log.append([source("c.c")])
        log.trim(cursor)
        assert [entry.event for entry in log.read(cursor)] == [source("b.c"), source("c.c"), artefact("b.o")] or [
            entry.event for entry in log.read(cursor)
        ] == [source("b.c"), artefact("b.o"), source("c.c")]
        log.trim(list(log.read())[-1].cursor)
        assert list(open_log().read()) == []

    def test_sixteen_appenders_at_once_lose_no_line(self, open_log: OpenLog) -> None:
        def write(number: int) -> None:
            log = open_log()
            for turn in range(20):
                log.append([source(f"{number}/{turn}"), artefact(f"{number}/{turn}" + "x" * 5000)])

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(write, range(16)))

        events = [entry.event for entry in open_log().read()]
        found = [event.id for event in events if isinstance(event, InputEvent)]
        assert len(events) == 640
        for number in range(16):
            own = [id_ for id_ in found if id_.startswith(f"{number}/")]
            assert own == [f"{number}/{turn}" for turn in range(20)]

    def test_a_commit_archives_the_live_events_and_trims_them(self, open_log: OpenLog) -> None:
        refs, log = MemoryRefs(), open_log()
        log.append([source("a.c"), artefact("a.o")])

        assert archive(refs, log, "p", "main", 1) == ()

        assert archived(refs, "p", "main", 1) == [source("a.c"), artefact("a.o")]
        assert list(log.read()) == []
        assert sorted(refs.contents) == [
            "projects/p/main/events/rev-0001.artefacts.jsonl",
            "projects/p/main/events/rev-0001.inputs.jsonl",
        ]
