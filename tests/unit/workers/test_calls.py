"""Calls: Python functions as jobs, in forks of a small process."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import calls, hashing
from shared.clock import SystemClock
from shared.errors import GraphError
from shared.model.action import Action, Input
from shared.model.job import JobOrder, JobOutcome
from shared.storage.memory import MemoryBlobs
from tests.fakes.results import DictResults
from tests.waiting import until
from workers.perform import Worker
from workers.workshop import Workshop

PAGES = '''
"""Pages."""
import os, sys, threading, time
from pathlib import Path
import helper
from shared.calls import Refused

def page(source, out, title="none"):
    Path(out).write_text(f"<h1>{title}</h1>{helper.loud(Path(source).read_text())}")
    print("wrote", out)

def refuse(source):
    raise Refused(f"{source}:1: no title")

def fail(source):
    return 1 / 0

def leave():
    sys.exit("gone")

def linger(pid_file):
    Path(pid_file).write_text(str(os.getpid()))
    time.sleep(600)

def child(out):
    if os.fork() == 0:
        time.sleep(600)
    Path(out).write_text("parent")

def surroundings(out):
    Path(out).write_text(repr((sorted(os.environ), sorted(os.listdir(".")), os.read(0, 1), threading.active_count())))
'''


class Farm:
    def __init__(self, root: Path) -> None:
        self.blobs = MemoryBlobs()
        self.results = DictResults(self.blobs)
        self.worker = Worker(
            Workshop(self.blobs, self.results, name="w", sandbox_root=root / "sandboxes", slots=2, clock=SystemClock())
        )
        self.files = {"tools/pages.py": PAGES, "tools/helper.py": "def loud(text): return text.upper()\n"}

    def run(
        self,
        *argv: str,
        outputs: tuple[str, ...] = ("out/page.html",),
        tools: str | None = None,
        timeout: float = 30.0,
        **files: str,
    ) -> JobOutcome:
        held = []
        for path, text in sorted({**self.files, **files}.items()):
            data = text.encode()
            self.blobs.put(hashing.of_bytes(data), data)
            held.append(Input(path, hashing.of_bytes(data), len(data)))
        action = Action(
            kind="call",
            argv=argv,
            env=(("LANG", "C"),),
            outputs=outputs,
            depfile=None,
            platform="any",
            inputs=tuple(held),
            primary=tuple(item.path for item in held),
            tools=calls.identity(argv[0]) if tools is None else tools,
        )
        return self.worker.perform(JobOrder(build="b", job="j", attempt=1, action=action, timeout=timeout))

    def made(self, outcome: JobOutcome) -> bytes:
        assert outcome.result is not None, outcome
        return self.blobs.get(outcome.result.outputs[0].hash)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    made = Farm(tmp_path)
    yield made
    made.worker.close()


def test_a_function_reads_its_inputs_and_writes_its_outputs(farm: Farm) -> None:
    outcome = farm.run("tools/pages.py:page", "a.md", "out/page.html", "Title", **{"a.md": "text"})
    assert outcome.status == "executed", outcome
    assert farm.made(outcome) == b"<h1>Title</h1>TEXT"
    assert outcome.stdout.text == "wrote out/page.html\n"
    assert farm.run("tools/pages.py:page", "a.md", "out/page.html", "Title", **{"a.md": "text"}).status == "reused"


def test_it_sees_nothing_of_the_worker_and_the_tree_holds_its_inputs_alone(farm: Farm) -> None:
    os.environ["SECRET_OF_THE_WORKER"] = "x"
    outcome = farm.run("tools/pages.py:surroundings", "out/page.html")
    del os.environ["SECRET_OF_THE_WORKER"]
    names, entries, read, threads = eval(farm.made(outcome))
    assert "SECRET_OF_THE_WORKER" not in names
    assert "LANG" in names
    assert entries == ["out", "tools"]
    assert read == b""
    assert threads == 1


def test_a_refusal_is_its_message_alone(farm: Farm) -> None:
    outcome = farm.run("tools/pages.py:refuse", "a.md")
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert outcome.stderr.text == "a.md:1: no title\n"


def test_an_exception_is_told_with_the_lines_of_the_function(farm: Farm) -> None:
    outcome = farm.run("tools/pages.py:fail", "a.md")
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "return 1 / 0" in outcome.stderr.text
    assert "callers.py" not in outcome.stderr.text


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("tools/pages.py:absent", "tools/pages.py has no function absent"),
        ("tools/none.py:page", "No such file"),
        ("tools/pages.py:leave", "gone"),
        ("tools/pages.py:page", "missing 2 required positional arguments"),
    ],
)
def test_what_is_wrong_with_a_call_is_in_its_log(farm: Farm, target: str, said: str) -> None:
    outcome = farm.run(target)
    assert outcome.status == "failed"
    assert said in outcome.stderr.text


def test_a_time_limit_ends_it(farm: Farm) -> None:
    outcome = farm.run("tools/pages.py:linger", "out/pid", timeout=0.5)
    assert "longer than its time limit" in outcome.message


def test_what_it_forked_does_not_outlive_it(farm: Farm, tmp_path: Path) -> None:
    outcome = farm.run("tools/pages.py:child", "out/page.html", timeout=20)
    assert outcome.status == "executed"
    assert outcome.seconds < 15

    def gone() -> bool:
        return not any(str(tmp_path / "sandboxes") in folder for folder in _working_folders())

    until(gone, what="the end of its children")


def _working_folders() -> Iterator[str]:
    """Those of all processes that may be looked at."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # it ended, or is another's
            yield os.readlink(f"/proc/{pid}/cwd")


def test_a_worker_with_another_version_of_it_refuses(farm: Farm) -> None:
    outcome = farm.run("tools/pages.py:page", tools="call python2.7")
    assert outcome.status == "failed"
    assert "the build wants call python2.7" in outcome.message
    outcome = farm.run("nobodys.call", tools="call nobodys.call 1")
    assert "no such call" in outcome.message


def test_an_unknown_name_is_an_error_with_the_place_and_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calls.BUILT_IN, "test.page", calls.BuiltIn("tests:none", 1))
    with pytest.raises(GraphError) as caught:
        calls.identity("test.pag", at="windrow.toml:7")
    assert caught.value.at == "windrow.toml:7"
    assert caught.value.fix == "did you mean test.page?"


def test_an_entry_point_is_known_by_its_package_and_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "farmcalls.py").write_text("def make(out):\n    open(out, 'w').write('made')\n")
    info = tmp_path / "farmcalls-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: farmcalls\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[windrow.calls]\nfarm.make = farmcalls:make\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    calls._points.cache_clear()
    try:
        known = calls.identity("farm.make")
        assert known.startswith("call farm.make farmcalls 1.2 sha256:")
        assert calls.files("farm.make") == (str(tmp_path / "farmcalls.py"),)
        (tmp_path / "farmcalls.py").write_text("def make(out):\n    open(out, 'w').write('other')\n")
        assert calls.identity("farm.make") != known
    finally:
        calls._points.cache_clear()
    assert json.dumps(known)
