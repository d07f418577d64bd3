"""The film on a farm with a bucket: the counts of its table are those of one machine, with one worker and with four."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from cli.local_farm import LocalFarm
from shared import queue
from shared.clock import SystemClock
from tests.scenarios.film import ARTEFACTS, JOBS, Film
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

EDITS: dict[str, tuple[dict[str, object], int, int, int]] = {
    "first": ({}, JOBS, JOBS, 0),
    "VoiceId": ({"VoiceId": "stern"}, 5, 5, 0),
    "Duration": ({"Duration": 90}, 17, 4, 13),
    "white space": ({"InquiryPrompt": "How  do tides work? "}, 17, 1, 16),
    "segments": ({"NumOfSegments": 4}, 21, 7, 14),
}


@contextmanager
def _farm(film: Film, workers: int) -> Iterator[None]:
    up = film.console.run("farm", "up", "--workers", str(workers), "--write")
    assert up.code == 0, up.err
    try:
        yield
    finally:
        assert film.console.run("farm", "down").code == 0


def _counts(film: Film) -> tuple[int, int, int]:
    report: dict[str, Any] = film.console.run("build", "--json").json()
    assert report["status"] == "ok", report
    return report["planned"], report["executed"], report["reused"]["cut_off"]


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_a_film_on_a_farm_executes_what_it_does_here_and_is_the_same(tmp_path: Path, workers: int) -> None:
    """W3-02, W3-20, invariant 8; an artefact that was edited by hand as well."""
    farmed, here = Film(tmp_path / "farmed"), Film(tmp_path / "here")
    with _farm(farmed, workers):
        for inputs, *expected in EDITS.values():
            farmed.give(**inputs)
            assert _counts(farmed) == tuple(expected), inputs
        farmed.write("movie/Narration/segment-1.txt", "By hand.\n")
        assert _counts(farmed) == (6, 6, 0)

    for inputs, *_ in EDITS.values():
        here.give(**inputs)
        here.build()
    here.write("movie/Narration/segment-1.txt", "By hand.\n")
    here.build()

    assert farmed.outputs_on_disk() == here.outputs_on_disk()


# Stands for mock.text, and each run of it writes its job down.
TOLD = """
import json
from pathlib import Path


def text(text):
    job = json.loads(text)
    with open(job["config"]["begun"], "a") as begun:
        begun.write(job["id"] + "\\n")
    for name, paths in job["makes"].items():
        for path in [paths] if isinstance(paths, str) else paths:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(path + " of " + job["id"] + "\\n")
"""
TOLD_JOBS = 15  # all but the script and the timeline


class Echo:
    """Sends every message of a farm a second time, as soon as it is sent."""

    def __init__(self, broker: str) -> None:
        self.client = redis.Redis.from_url(broker)
        self.sent: dict[str, str] = {}  # message to the list it went to
        self.again = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._monitor = self.client.monitor()

    def __enter__(self) -> Self:
        self._monitor.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.echo("no more")
        self._thread.join(timeout=30)
        self._monitor.__exit__(None, None, None)
        self.client.close()

    def _listen(self) -> None:
        while True:
            word, _, rest = str(self._monitor.next_command()["command"]).partition(" ")
            if rest == "no more":
                return
            name, _, message = rest.partition(" ")
            if word == "LPUSH" and name.startswith(queue.list_key("")) and message not in self.sent:
                self.sent[message] = name
                self.client.lpush(name, message)
                self.again += 1

    def once_more(self) -> None:
        """Every message, now that nobody waits for it."""
        for message, name in self.sent.items():
            self.client.lpush(name, message)

    def quiet(self) -> bool:
        """Whether no message waits to be taken, and none was taken and not finished with."""
        return not any(self.client.exists(name) for name in {*self.sent.values(), "windrow:unacked"})


def test_w3_07_a_message_that_comes_twice_begins_nothing_the_second_time(tmp_path: Path) -> None:
    """W3-07 on the film, every batch of which is delivered twice: each job begins once, and its success counts once.

    Messages that come when the build is over begin nothing either; another checkout has all of the work reused.
    """
    farm = LocalFarm(tmp_path / "farm", clock=SystemClock(), environ=os.environ)
    films = [Film(tmp_path / name) for name in ("one", "two")]
    for film in films:
        film.write("tools/told.py", TOLD)
        call = "    call: tools/told.py:text\n    config: " + json.dumps({"begun": str(tmp_path / "begun")})
        film.write("movie.yaml", film.read("movie.yaml").replace("    call: mock.text", call))
    one, two = films
    try:
        state, _ = farm.up(workers=2, slots=2)
        for film in films:
            farm.write(state, film.root)
        with Echo(state.broker) as echo:
            built = one.console.run("build", "--json")
            assert built.code == 0, built.err
            until(echo.quiet, what="the second of each message to be taken")
            begun = Counter((tmp_path / "begun").read_text().splitlines())
            echo.once_more()
            until(echo.quiet, what="the third of each message to be taken")
            late = Counter((tmp_path / "begun").read_text().splitlines())
            listed = one.console.run("events", "list", "--revision", "rev-0001").out.splitlines()
            doctor = one.console.run("doctor").out
            fresh = two.console.run("build", "--json", "--branch", "fresh")
    finally:
        farm.down()

    report, reused = built.json(), fresh.json()
    told = Counter(event["artefact"] for event in map(json.loads, listed) if event.get("status") == "executed")
    assert echo.again == len(echo.sent) >= 5  # a message at least for each layer
    assert (report["executed"], report["failed"], report["revision"]) == (JOBS, 0, "rev-0001")
    assert (len(begun), set(begun.values())) == (TOLD_JOBS, {1})
    assert late == begun
    assert (len(told), set(told.values())) == (ARTEFACTS, {1})
    assert "the archived events tell the same as the manifest" in doctor
    assert (reused["status"], reused["planned"], reused["executed"]) == ("ok", JOBS, 0)
    assert two.outputs_on_disk() == one.outputs_on_disk()
