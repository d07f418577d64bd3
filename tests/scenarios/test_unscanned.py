"""A compile whose headers are all where they were is found by what the revision says of it, without a scan."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cli.ninja_project import open_build_folder
from cli.performers import PERFORMERS
from coordinator import build as building
from coordinator.project import Project
from coordinator.report import BuildReport
from coordinator.request import Request
from shared.clock import SystemClock
from tests.fakes.observer import RecordingObserver

TEXT = """\
rule cc
  command = gcc -Ifirst -Isecond -MMD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
build main.o: cc main.c
"""


class Compiled:
    """Built in one folder again and again, each time as from a fresh checkout; the cache stays."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.environ = {"PATH": os.environ["PATH"], "WINDROW_CACHE_DIR": str(folder / "cache")}
        self.write("build.ninja", TEXT)
        self.write("main.c", '#include "value.h"\nint value = VALUE;\n')
        self.write("second/value.h", "#define VALUE 1\n")
        # The same name, where no compile looks.
        self.write("third/value.h", "#define VALUE 3\n")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def build(self) -> tuple[BuildReport, bool]:
        """What was done, and whether includes were scanned for it."""
        shutil.rmtree(self.root / ".windrow", ignore_errors=True)
        (self.root / "main.o").unlink(missing_ok=True)
        settings = open_build_folder(self.root, "build.ninja", flags={}, environ=self.environ)
        project = Project(settings, environ=self.environ, clock=SystemClock(), performers=PERFORMERS)
        report = building.build(project, Request(), RecordingObserver())
        return report, "_headers" in vars(project)


def test_a_fresh_checkout_scans_nothing_though_another_header_has_the_name(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path)
    first, scanned = compiled.build()
    assert (first.executed, scanned) == (1, True)
    made = (compiled.root / "main.o").read_bytes()

    report, scanned = compiled.build()

    assert (report.executed, report.reused, scanned) == (0, {"local": 1}, False)
    assert (compiled.root / "main.o").read_bytes() == made


def test_a_new_header_of_the_name_is_found_before_the_old_one(tmp_path: Path) -> None:
    """Trap 26, from a fresh checkout."""
    compiled = Compiled(tmp_path)
    compiled.build()
    made = (compiled.root / "main.o").read_bytes()
    compiled.write("first/value.h", "#define VALUE 2\n")

    report, scanned = compiled.build()

    assert (report.executed, scanned) == (1, True)
    assert (compiled.root / "main.o").read_bytes() != made


def test_an_edited_header_is_compiled_anew_and_the_old_one_found_again(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path)
    compiled.build()
    compiled.write("second/value.h", "#define VALUE 9\n")
    assert compiled.build()[0].executed == 1
    compiled.write("second/value.h", "#define VALUE 1\n")

    assert compiled.build()[0].executed == 0
