"""A real C library through seven changes, here and on a farm, against what make does with the same tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.real import zstd

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
LAUNCHER = Path(__file__).resolve().parents[2] / "windrow.py"
# Without optimisation a unit takes a fifth of the time.
FLAGS = "-O0"


class Made(NamedTuple):
    """What a tree is to hold after a case, which of it a build has to make, and how many commands make ran."""

    outputs: dict[str, bytes]
    remade: set[str]
    commands: int


@pytest.fixture(scope="module")
def by_make(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Every case, done by make; only where make leaves a tree that a clean make would not, by a clean make."""
    folder = _project(tmp_path_factory.mktemp("make"))
    made: dict[str, Made] = {}
    outputs: dict[str, bytes] = {}
    for case in zstd.CASES:
        case.change(folder)
        commands = zstd.make(folder)
        if case.name == "delete a .c":
            # Nothing tells make that its archive holds one member too many.
            shutil.rmtree(folder / "make")
            zstd.make(folder)
        before, outputs = outputs, zstd.outputs(folder, "make")
        made[case.name] = Made(outputs, _compiled(case.name, folder, outputs) | _behind(before, outputs), commands)
    return made


def _project(folder: Path) -> Path:
    try:
        return zstd.project(folder, flags=FLAGS)
    except subprocess.CalledProcessError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the sources of zstd cannot be fetched: {error.stderr[-500:]!r}")


def _compiled(case: str, folder: Path, outputs: dict[str, bytes]) -> set[str]:
    """The units that a case changes: by what the compiler says they read."""
    if case in ("clean", "change a flag"):
        return {path for path in outputs if path.endswith(".o")}
    if case == "edit a header":
        return {str(Path(unit).with_suffix(".o")) for unit in zstd.readers(folder, "zstd/common/fse.h")}
    return {"zstd/compress/hist.o"} if case == "edit a .c" else set()


def _behind(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """What comes after units, where bytes that it reads changed."""
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    needs = {"libzstd.a": any(path.startswith("zstd/") for path in changed)}
    needs["roundtrip"] = not changed.isdisjoint({"libzstd.a", "test/roundtrip.o"})
    needs["roundtrip.txt"] = "roundtrip" in changed
    return {path for path, needed in needs.items() if needed}


class Checkout:
    """A project folder, and windrow in it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        told = {name: value for name, value in os.environ.items() if not name.startswith("WINDROW_")}
        self.environ = {**told, "WINDROW_CACHE_DIR": str(cache)}

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, str(LAUNCHER), *words],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def build(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.run("build", "--json"))
        return report

    def executed(self, report: dict[str, Any]) -> set[str]:
        """The outputs that a build executed a command for, by its events; below `build/`."""
        if report["revision"] is None:
            return set()
        events = map(json.loads, self.run("events", "list", "--revision", report["revision"]).splitlines())
        ran = {event["artefact"] for event in events if event.get("status") == "executed"}
        return {path.removeprefix("build/") for path in ran}

    def outputs(self) -> dict[str, bytes]:
        return zstd.outputs(self.folder, "build")

    def another(self, folder: Path, cache: Path) -> Checkout:
        """What a second person has who checks the same tree out as a project of another name."""
        left = shutil.ignore_patterns("build", "make", ".windrow", "windrow.local.toml")
        shutil.copytree(self.folder, folder, ignore=left)
        rules = (folder / "windrow.toml").read_text()
        (folder / "windrow.toml").write_text(rules.replace('name = "zstd"', 'name = "another"', 1))
        return Checkout(folder, cache)


@contextmanager
def _farm(checkout: Checkout) -> Iterator[None]:
    checkout.run("farm", "up", "--workers", "4", "--write")
    try:
        yield
    finally:
        checkout.run("farm", "down")


def test_every_change_to_zstd_executes_what_it_must_and_leaves_what_make_does(
    by_make: dict[str, Made], tmp_path: Path
) -> None:
    here = Checkout(_project(tmp_path / "one"), tmp_path / "cache")

    _all_cases(here, by_make)

    _nothing_is_left_to_do(here.another(tmp_path / "two", tmp_path / "cache"), by_make, source="local")


@pytest.mark.slow
def test_four_workers_do_the_same_and_another_machine_finds_what_they_made(
    by_make: dict[str, Made], tmp_path: Path
) -> None:
    here = Checkout(_project(tmp_path / "one"), tmp_path / "cache")
    with _farm(here):
        _all_cases(here, by_make)

        there = here.another(tmp_path / "two", tmp_path / "another cache")
        shutil.copy(here.folder / "windrow.local.toml", there.folder)
        _nothing_is_left_to_do(there, by_make, source="remote")


def _all_cases(checkout: Checkout, by_make: dict[str, Made]) -> None:
    for case in zstd.CASES:
        expected = by_make[case.name]
        case.change(checkout.folder)

        report = checkout.build()

        executed = checkout.executed(report)
        idle, lost = sorted(executed - expected.remade), sorted(expected.remade - executed)
        assert (case.name, idle, lost) == (case.name, [], [])
        assert report["executed"] == len(executed), case.name
        _same(checkout, expected, case.name)
        # Make sees no deletion.
        assert len(executed) <= expected.commands or case.name == "delete a .c"


def _nothing_is_left_to_do(checkout: Checkout, by_make: dict[str, Made], *, source: str) -> None:
    last = by_make[zstd.CASES[-1].name]

    report = checkout.build()

    assert report["executed"] == 0
    assert report["reused"] == {"cut_off": 0, "local": 0, "remote": 0, "shared": 0, source: len(last.outputs)}
    _same(checkout, last, "a fresh checkout")


def _same(checkout: Checkout, expected: Made, case: str) -> None:
    found = checkout.outputs()
    differing = {path for path in {*found, *expected.outputs} if found.get(path) != expected.outputs.get(path)}
    assert (case, differing) == (case, set())
    ran = subprocess.run(["build/roundtrip"], cwd=checkout.folder, capture_output=True, check=True)
    assert ran.stdout == expected.outputs["roundtrip.txt"]
    assert ran.stdout.count(b" -> ") == 3
