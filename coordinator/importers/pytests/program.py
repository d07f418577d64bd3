"""Runs pytest on the files of a test job and writes the record of it: a program of its own, laid out beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from typing import Any

MARK = "windrow.test/1 "
SCHEMA = "windrow.test/1"
NOT_COLLECTED = 5  # pytest's exit code when a file holds no test


def folders() -> list[str]:
    """Where the packages of this interpreter lie."""
    found = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    found += [path for path in sys.path if path.rstrip("/").endswith(("-packages", "site-python"))]
    return sorted({os.path.realpath(path) for path in found if path})


def environment() -> str:
    """A digest of the interpreter's version and of the packages it has, by name and version."""
    names: set[str] = set()
    for folder in folders():
        if os.path.isdir(folder):
            names.update(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))
    text = "\n".join([sys.implementation.cache_tag or "", sys.version, *sorted(names)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe() -> None:
    """Print what there is to know of this interpreter, as JSON."""
    try:
        import pytest
    except ImportError:
        version = ""
    else:
        version = pytest.__version__
    known = importlib.util.find_spec("coverage") is not None
    print(json.dumps({"digest": environment(), "folders": folders(), "pytest": version, "coverage": known}))


class Recorder:
    """A pytest plugin that notes how each test came out."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.texts: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = report.nodeid
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if outcome == "skipped" else "xpassed" if outcome == "passed" else outcome
        if report.when == "call" or outcome != "passed":
            if self.outcomes.get(name) not in ("failed", "error"):
                self.outcomes[name] = "error" if outcome == "failed" and report.when != "call" else outcome
        if report.failed:
            self.texts[name] = str(report.longrepr)[-4000:]

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.outcomes[report.nodeid] = "error"
            self.texts[report.nodeid] = str(report.longrepr)[-4000:]
        elif report.skipped:
            self.outcomes[report.nodeid] = "skipped"


def strangers() -> list[str]:
    """Modules that were imported from neither this job's folder nor the interpreter's packages."""
    here = os.path.realpath(os.getcwd())
    allowed = [here, *folders(), sys.prefix, sys.base_prefix, sys.exec_prefix, os.environ.get("TMPDIR", "/tmp")]
    allowed += [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    roots = tuple(os.path.realpath(path).rstrip("/") + "/" for path in allowed if path)
    found = []
    for name, module in sorted(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and os.path.isabs(path) and not os.path.realpath(path).startswith(roots):
            found.append(f"{name} ({path})")
    return found


def files() -> set[str]:
    """Every file below the current folder."""
    return {os.path.join(folder, name) for folder, _, names in os.walk(".") for name in names}


class Executed:
    """Which files below the current folder this process and those it starts execute, as coverage.py sees it."""

    def __init__(self, context: str) -> None:
        import coverage

        self.here = os.path.realpath(os.getcwd())
        self.folder = tempfile.mkdtemp(prefix="windrow-coverage-")
        settings = os.path.join(self.folder, "rc")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f"[run]\ndata_file = {self.folder}/data\nparallel = true\nsource = {self.here}\n")
            file.write(f"context = {context}\npatch = subprocess,_exit\ndisable_warnings = no-data-collected\n")
        self.coverage = coverage.Coverage(config_file=settings)
        self.coverage.start()

    def files(self) -> list[str]:
        """The files, relative and sorted; to be asked once, when all is over."""
        self.coverage.stop()
        self.coverage.save()
        self.coverage.combine()
        data = self.coverage.get_data()
        found = {os.path.realpath(path) for path in data.measured_files() if data.lines(path)}
        shutil.rmtree(self.folder, ignore_errors=True)
        paths = {os.path.relpath(path, self.here) for path in found - {os.path.realpath(__file__)}}
        return sorted(path for path in paths if not path.startswith(".."))


def run(out: str, expected: str, roots: str, tests: list[str], args: list[str], *, recording: bool = False) -> int:
    """Run the tests; the exit code is 0 only if none failed. recording: write what they executed, not their record."""
    if environment() != expected:
        print(
            f"{sys.executable} has other packages here than where the tests were planned; "
            "install the same ones on every worker"
        )
        return 1
    here = os.getcwd()
    paths = [os.path.join(here, root) if root != "." else here for root in roots.split(":")]
    sys.path[:1] = paths
    # Programs that tests start find the same modules.
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH", "")])])
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.path.join(os.environ.get("TMPDIR", "/tmp"), "hypothesis"))
    import pytest

    before = files()
    recorder = Recorder()
    executed = Executed(tests[0]) if recording else None
    words = ["-q", "--no-header", "-p", "no:cacheprovider", f"--rootdir={here}", *args, *tests]
    code = int(pytest.main(words, plugins=[recorder]))
    sys.stdout.flush()
    ran = executed.files() if executed else []
    for path in files() - before:
        os.unlink(path)  # what a test leaves beside it is nobody's input
    outcomes = recorder.outcomes
    failed = [name for name in outcomes if outcomes[name] in ("failed", "error")]
    code = 0 if code == NOT_COLLECTED and not failed else code
    if not code and (found := strangers()):
        print("imported from outside the job's folder, so that a change there would go unnoticed:", *found, sep="\n  ")
        print("an editable install of the project? uninstall it, or name its folder in [tests] roots")
        code = 1
    record = {
        "schema": SCHEMA,
        "success": code == 0,
        "passed": sum(outcome in ("passed", "xfailed", "xpassed") for outcome in outcomes.values()),
        "skipped": sum(outcome == "skipped" for outcome in outcomes.values()),
        "failed": len(failed),
        "total": len(outcomes),
        "test_command": " ".join(["python", "-m", "pytest", *args, *tests]),
        "tests": dict(sorted(outcomes.items())),
    }
    if code == 0:
        # How long it took differs from run to run: that is in the log and in the result, not in what is compared.
        os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
        with open(out, "w", encoding="utf-8") as file:
            json.dump(ran if recording else record, file, indent=1, sort_keys=True)
            file.write("\n")
    seconds = {name: round(took, 6) for name, took in recorder.seconds.items()}
    print(MARK + json.dumps({**record, "seconds": seconds, "texts": recorder.texts}))
    return 1 if code else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--environment"]:
        describe()
        sys.exit(0)
    _recording = sys.argv[1:2] == ["--coverage"]
    _out, _expected, _roots, _count, *_rest = sys.argv[2:] if _recording else sys.argv[1:]
    sys.exit(run(_out, _expected, _roots, _rest[: int(_count)], _rest[int(_count) :], recording=_recording))
