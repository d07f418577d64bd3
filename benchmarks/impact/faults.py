"""Injected faults: what a full run shows to fail, against what Windrow and pytest-testmon select."""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.impact.packages import PACKAGES, TRAPS, environment, unpack

PROJECTS = ("traps", *PACKAGES)
_PLAIN = ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set
# Notes which files of the project each test file loads when it is run alone: what no sound selection may leave out.
LOADED = """
import json, os, sys
def pytest_unconfigure(config):
    here = os.getcwd() + os.sep
    files = {getattr(module, '__file__', None) or '' for module in list(sys.modules.values())}
    with open(os.environ['LOADED'], 'w') as out:
        json.dump(sorted(file[len(here):] for file in files if file.startswith(here)), out)
"""


class Fault(NamedTuple):
    """An edit that breaks something: a file's new text, or a variable's new value (path empty)."""

    kind: str
    path: str
    text: str
    where: str


def measure(home: Path, name: str, count: int) -> dict[str, Any]:
    """Inject faults into a project and compare; the table is printed."""
    needs = PACKAGES[name][2] if name in PACKAGES else ()
    python = environment(home / f"env-{name}", needs)
    fetched = home / f"fetched-{name}"
    fetched.mkdir()
    tree = unpack(name, fetched, python)
    arena = Arena(home / f"arena-{name}", tree, python)
    folder = PACKAGES[name][1] if name in PACKAGES else "src/shop"
    faults = [*_faults(tree, folder, count), *(_by_hand() if name == "traps" else ())]
    rows = [arena.judge(fault) for fault in faults]
    return _told(name, rows, len(arena.tests))


class Arena:
    """Three copies of a project: for plain pytest, for Windrow and for testmon; all three have run it once."""

    def __init__(self, home: Path, tree: Path, python: Path) -> None:
        self.python = python
        self.plain, self.ours, self.theirs = (home / one for one in ("plain", "windrow", "testmon"))
        for copy in (self.plain, self.ours, self.theirs):
            shutil.copytree(tree, copy)
        self.cache = home / "cache"
        self.env = {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "PYTHONPATH": "",
            "PYTHONDONTWRITEBYTECODE": "1",
            "WINDROW_CACHE_DIR": str(self.cache),
            "COVERAGE_CORE": "ctrace",
        }
        built = self._windrow("test", "--json")
        self.tests = sorted(one["test"] for one in built["tests"])
        # What fails without any fault is nobody's to find.
        self.known = self._failing({})
        if len(self.known) > len(self.tests) // 5:
            raise SystemExit(f"without any fault pytest fails {sorted(self.known)}: nothing could be told from that")
        bad = [one["test"] for one in built["tests"] if one["how"] != "passed" and one["test"] not in self.known]
        if bad:
            raise SystemExit(f"Windrow does not run {bad}, which pytest passes")
        self.needed = self._needed()
        self._pytest(self.theirs, "--testmon")

    def judge(self, fault: Fault) -> dict[str, Any]:
        """What fails, what is selected by each, and what no sound selection may leave out."""
        variables = {} if fault.path else {"SHOP_MODE": fault.text}
        before = (self.plain / fault.path).read_text() if fault.path else ""
        copies = (self.plain, self.ours, self.theirs) if fault.path else ()
        for copy in copies:
            (copy / fault.path).write_text(fault.text)
        try:
            failing = self._failing(variables) - self.known
            ours = {one["test"] for one in self._windrow("test", "--dry-run", "--json", **variables)["selected"]}
            theirs = self._testmon(variables)
        finally:
            for copy in copies:
                (copy / fault.path).write_text(before)
        needed = {test for test, files in self.needed.items() if fault.path in files or fault.path == test}
        return {
            "kind": fault.kind,
            "where": fault.where,
            "failing": len(failing),
            "windrow": len(ours),
            "testmon": len(theirs),
            "needed": len(needed | failing),
            "missed_by_windrow": sorted(failing - ours),
            "missed_by_testmon": sorted(failing - theirs),
            "beyond_needed": sorted(ours - needed - failing),
        }

    def _failing(self, variables: Mapping[str, str]) -> set[str]:
        report = self.plain.parent / "report.xml"
        report.unlink(missing_ok=True)
        self._pytest(self.plain, "-p", "no:testmon", f"--junitxml={report}", **variables)
        if not report.exists():
            return set(self.tests)  # it broke the collection of everything, as a fault in a conftest.py does
        cases = ET.parse(report).iter("testcase")
        bad = (case for case in cases if any(case.find(what) is not None for what in ("failure", "error")))
        return {self._file(case) for case in bad}

    def _file(self, case: ET.Element) -> str:
        """The test file that ran a case: a class may be inherited from another, so where it is defined says nothing."""
        for name in (case.get("classname") or "", case.get("name") or ""):
            for test in self.tests:
                dotted = test.removesuffix(".py").replace("/", ".")
                if name == dotted or name.startswith(f"{dotted}."):
                    return test
        raise SystemExit(f"no test file ran {ET.tostring(case)!r}")

    def _needed(self) -> dict[str, set[str]]:
        plugin = self.plain.parent / "plugin"
        plugin.mkdir()
        (plugin / "note_loaded.py").write_text(LOADED)
        needed = {}
        for test in self.tests:
            noted = plugin / "loaded.json"
            self._pytest(
                self.plain, "-p", "no:testmon", "-p", "note_loaded", test, PYTHONPATH=str(plugin), LOADED=str(noted)
            )
            needed[test] = set(json.loads(noted.read_text()))
        return needed

    def _testmon(self, variables: Mapping[str, str]) -> set[str]:
        said = self._pytest(self.theirs, "--testmon-nocollect", "--collect-only", "-qq", **variables)
        found = (line.partition("::")[0].partition(":")[0].strip() for line in said.splitlines())
        return {name for name in found if name in self.tests}

    def _pytest(self, folder: Path, *words: str, **variables: str) -> str:
        roots = [str(folder / "src"), *filter(None, [variables.pop("PYTHONPATH", "")])]
        env = {**self.env, **variables, "PYTHONPATH": os.pathsep.join(roots)}
        command = [str(self.python), "-m", "pytest", "-q", "--no-header", *words]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False).stdout

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


def _faults(tree: Path, folder: str, count: int) -> Iterator[Fault]:
    """Faults spread over the modules of a folder: functions that raise, and constants of modules that are others."""
    found: list[Fault] = []
    for path in sorted((tree / folder).rglob("*.py")):
        text = path.read_text()
        name = path.relative_to(tree).as_posix()
        nodes = [*ast.walk(ast.parse(text))]
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        found += [_raising(name, text, node) for node in functions if _has_lines_of_its_own(text, node)]
        assigned = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
        found += [_other(name, text, node) for node in assigned if isinstance(node.value, _PLAIN)]
    random.Random(1).shuffle(found)
    # As many constants as there are, up to a third: they are few, and what line coverage does not see.
    constants = [fault for fault in found if fault.kind == "constant"][: count // 3]
    functions = [fault for fault in found if fault.kind == "function"][: count - len(constants)]
    yield from (*functions, *constants)


def _has_lines_of_its_own(text: str, node: ast.FunctionDef) -> bool:
    """Not so for what stands beside its signature, like the `...` of an overload."""
    first = node.body[0]
    return not text.splitlines()[first.lineno - 1][: first.col_offset].strip()


def _raising(name: str, text: str, node: ast.FunctionDef) -> Fault:
    lines = text.splitlines(keepends=True)
    first = node.body[0]
    at = first.lineno - 1
    if getattr(first, "decorator_list", None):
        at = first.decorator_list[0].lineno - 1  # type: ignore[attr-defined]
    lines.insert(at, f"{' ' * first.col_offset}raise RuntimeError('injected')\n")
    return Fault("function", name, "".join(lines), f"{name}:{node.lineno} {node.name}")


def _other(name: str, text: str, node: ast.Assign) -> Fault:
    lines = text.splitlines(keepends=True)
    target = ast.unparse(node.targets[0])
    assert node.end_lineno is not None
    lines[node.lineno - 1 : node.end_lineno] = [f"{target} = None\n"]
    return Fault("constant", name, "".join(lines), f"{name}:{node.lineno} {target}")


def _by_hand() -> Iterator[Fault]:
    """What line coverage cannot see: data, constants, the environment, other processes, names put together."""
    yield Fault("data", "src/shop/label.txt", "stale\n", "a data file beside the module")
    yield Fault("data", "tests/data/cases.json", "[[1, 2]]\n", "a data file of the tests")
    prices, tool = TRAPS["src/shop/prices.py"], TRAPS["src/shop/tool.py"]
    yield Fault("constant", "src/shop/prices.py", prices.replace("2, 3", "2, 99"), "a list tests are parametrised with")
    yield Fault("subprocess", "src/shop/tool.py", tool.replace("(5)", "(6)"), "code that runs in another process")
    yield Fault("environment", "", "fancy", "SHOP_MODE=fancy")
    yield Fault("dynamic", "src/shop/plugin_a.py", "NAME = 'b'\n", "a module whose name is put together")
    fixture = TRAPS["tests/conftest.py"].replace("list(RATES)", "[3]")
    yield Fault("fixture", "tests/conftest.py", fixture, "a fixture in conftest.py")
    config = f"{TRAPS['pyproject.toml']}addopts = '-W error::UserWarning'\n"
    yield Fault("config", "pyproject.toml", config, "an option that every test runs with")


def _told(name: str, rows: list[dict[str, Any]], tests: int) -> dict[str, Any]:
    """The table, printed, and the same as a value."""
    kinds = sorted({row["kind"] for row in rows})
    print(f"\n{name}: {tests} test files, {len(rows)} faults; test files per fault")
    head = ("faults", "failing", "needed", "windrow", "testmon", "missed", "by testmon")
    widths = (6, 8, 7, 8, 8, 7, 11)
    print(f"{'kind':12} " + " ".join(f"{word:>{width}}" for word, width in zip(head, widths, strict=True)))
    summary = {}
    for kind in [*kinds, "all"]:
        some = [row for row in rows if kind in (row["kind"], "all")]
        mean = {key: sum(row[key] for row in some) / len(some) for key in ("failing", "needed", "windrow", "testmon")}
        missed = {who: sum(bool(row[f"missed_by_{who}"]) for row in some) for who in ("windrow", "testmon")}
        beyond = sum(len(row["beyond_needed"]) for row in some)
        means = {key: round(value, 2) for key, value in mean.items()}
        summary[kind] = {"faults": len(some), **means, "faults_missed": missed, "beyond_needed": beyond}
        print(
            f"{kind:12} {len(some):6} {mean['failing']:8.1f} {mean['needed']:7.1f} {mean['windrow']:8.1f} "
            f"{mean['testmon']:8.1f} {missed['windrow']:7} {missed['testmon']:11}"
        )
    print(f"beyond what a sound selection needs: {summary['all']['beyond_needed']} selections")
    return {"project": name, "test_files": tests, "summary": summary, "faults": rows}
