"""Arena: copies of a project in which plain pytest, Windrow and pytest-testmon see the same fault."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.impact.injected import Fault

# A pytest plugin that notes what came of a run: of what cannot be collected, the file. loaded: which files of the
# project were imported, whoever asked for them.
NOTE = """
import json, os, sys
collected, failed, broken = [], set(), set()
def pytest_collection_finish(session):
    collected.extend(item.nodeid for item in session.items)
def pytest_collectreport(report):
    if report.failed:
        broken.add(report.nodeid.partition('::')[0])
def pytest_runtest_logreport(report):
    if report.failed:
        failed.add(report.nodeid)
def pytest_unconfigure(config):
    here = os.getcwd() + os.sep
    files = {getattr(module, '__file__', None) or '' for module in list(sys.modules.values())}
    loaded = sorted(file[len(here):] for file in files if file.startswith(here))
    noted = dict(collected=collected, failed=sorted(failed), broken=sorted(broken), loaded=loaded)
    with open(os.environ['NOTED'], 'w') as out:
        json.dump(noted, out)
"""
Noted = dict[str, list[str]]


class Arena:
    """Three copies of a project: for plain pytest, for Windrow and for testmon; all three have run it once.

    tests: node ids by test file. known: the tests that fail without a fault, which nobody has to find.
    needed: test file to the project's files that it loads when it is run alone, which no sound selection may leave out.
    """

    def __init__(self, home: Path, tree: Path, python: Path) -> None:
        self.python = python
        self.plain, self.ours, self.theirs = (home / one for one in ("plain", "windrow", "testmon"))
        for copy in (self.plain, self.ours, self.theirs):
            shutil.copytree(tree, copy)
        for folder in ("plugin", "tmp"):
            (home / folder).mkdir()
        (home / "plugin/note.py").write_text(NOTE)
        self._noted = home / "noted.json"
        self.env = {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WINDROW_CACHE_DIR": str(home / "cache"),
            "COVERAGE_CORE": "ctrace",
        }
        built = self._windrow("test", "--json")
        files = sorted(one["test"] for one in built["tests"])
        whole = self._pytest(self.plain, "-p", "no:testmon")
        if whole is None or whole["broken"]:
            raise SystemExit(f"without any fault pytest cannot collect {whole and whole['broken']}")
        self.tests = {file: [one for one in whole["collected"] if _file(one) == file] for file in files}
        self.known = frozenset(whole["failed"])
        if len(self.known) > len(whole["collected"]) // 20:
            raise SystemExit(f"without any fault pytest fails {sorted(self.known)}: nothing could be told from that")
        bad = [one["test"] for one in built["tests"] if one["how"] != "passed"]
        if set(bad) - _files(self.known):
            raise SystemExit(f"Windrow does not run {bad}, which pytest passes")
        self.needed = {file: self._loaded(file) for file in files}
        self._pytest(self.theirs, "--testmon")

    def judge(self, fault: Fault) -> dict[str, Any]:
        """What fails, what is selected by each, and what no sound selection may leave out."""
        variables = {} if fault.path else {"SHOP_MODE": fault.text}
        before = (self.plain / fault.path).read_bytes() if fault.path else b""
        copies = (self.plain, self.ours, self.theirs) if fault.path else ()
        for copy in copies:
            (copy / fault.path).write_text(fault.text)
        try:
            whole = ("-p", "no:testmon", "--continue-on-collection-errors")
            failing = self._tests(self._pytest(self.plain, *whole, **variables), "failed") - self.known
            ours = self._windrow("test", "--dry-run", "--json", **variables)["selected"]
            select = ("--testmon-nocollect", "--collect-only", "--continue-on-collection-errors")
            theirs = self._tests(self._pytest(self.theirs, *select, **variables), "collected")
        finally:
            for copy in copies:
                (copy / fault.path).write_bytes(before)
        chosen = {one["test"] for one in ours}
        loading = {test for test, files in self.needed.items() if fault.path in files or fault.path == test}
        needed = loading | _files(failing)
        return {
            "kind": fault.kind,
            "where": fault.where,
            "failing": len(_files(failing)),
            "needed": len(needed),
            "windrow": len(chosen),
            "testmon": len(_files(theirs)),
            "failing_tests": len(failing),
            "windrow_tests": sum(len(self.tests[test]) for test in chosen),
            "testmon_tests": len(theirs),
            "missed_by_windrow": sorted(_files(failing) - chosen),
            "missed_by_testmon": sorted(_files(failing - theirs)),
            "beyond_needed": {one["test"]: one["reason"] for one in ours if one["test"] not in needed},
        }

    def _tests(self, noted: Noted | None, what: str) -> frozenset[str]:
        """The tests that a run named, and all of the files that it could not collect; of no run at all, all."""
        broken = set(self.tests) if noted is None else set(noted["broken"])
        named = [] if noted is None else noted[what]
        return frozenset(named).union(*(self.tests.get(file, [file]) for file in broken))

    def _loaded(self, test: str) -> frozenset[str]:
        noted = self._pytest(self.plain, "-p", "no:testmon", test)
        return frozenset(noted["loaded"]) if noted else frozenset()

    def _pytest(self, folder: Path, *words: str, **variables: str) -> Noted | None:
        """What came of a run of pytest; None where it did not begin, as when a conftest.py is broken."""
        self._noted.unlink(missing_ok=True)
        roots = [str(folder / "src"), str(self._noted.parent / "plugin")]
        env = {**self.env, **variables, "PYTHONPATH": os.pathsep.join(roots), "NOTED": str(self._noted)}
        command = [str(self.python), "-m", "pytest", "-q", "--no-header", "-p", "note", *words]
        subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)
        if not self._noted.exists():
            return None
        noted: Noted = json.loads(self._noted.read_text())
        return noted if noted["collected"] or noted["broken"] or "--collect-only" in words else None

    def _windrow(self, *words: str, **variables: str) -> Any:
        said = subprocess.run(
            [sys.executable, "-m", "windrow", *words],
            cwd=self.ours,
            env={**self.env, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if not said.stdout:
            raise SystemExit(said.stderr)
        return json.loads(said.stdout)


def _file(node: str) -> str:
    return node.partition("::")[0]


def _files(nodes: Iterable[str]) -> set[str]:
    return {_file(node) for node in nodes}


def means(rows: Sequence[Mapping[str, Any]], *keys: str) -> dict[str, float]:
    """The mean of each key over rows."""
    return {key: round(sum(row[key] for row in rows) / len(rows), 2) for key in keys}
