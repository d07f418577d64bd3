"""The engines: how each is told about steps, started, and asked what it ran."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ninja import BIN_DIR

from cli import ends, ninja
from tests.traps.verdict import Built, NotExpressible, Step

_REPORT = "report.json"
_FAILED, _USAGE = 1, 2  # Windrow's exit codes
_GLOB = re.compile(r"[*?\[]")
# The beginning of a rule of a build.ninja, up to its command.
_COMMAND = re.compile(r"^((rule (\S+)\n(?:  .*\n)*?)  command = )", re.MULTILINE)


class Engine(Protocol):
    """caches: a result made before is found again. state: names in the project that are the engine's own."""

    name: str
    caches: bool
    state: frozenset[str]

    def write(self, project: Path, steps: Sequence[Step]) -> None:
        """Write the build files for these steps."""

    def argv(self, *, keep_going: bool = False) -> list[str]:
        """The command that builds everything."""

    def environment(self, root: Path) -> dict[str, str]:
        """What to start it with, beside the scenario's own variables."""

    def built(self, root: Path, code: int, stdout: str, stderr: str) -> Built:
        """What came of it."""

    def state_files(self, root: Path) -> list[Path]:
        """Every file the engine keeps for itself."""

    def code(self, code: int) -> int | None:
        """What it ends with where `windrow build` ends with this exit code; None if anything else than 0 will do."""


class _Logged:
    """An engine without a report: every command writes its step's name to a log first."""

    name = ""
    caches = False
    state: frozenset[str] = frozenset()

    def environment(self, root: Path) -> dict[str, str]:
        return {"TRAP_RAN": str(root / "ran"), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def built(self, root: Path, code: int, stdout: str, stderr: str) -> Built:
        log = root / "ran"
        ran = tuple(log.read_text().split()) if log.exists() else ()
        log.unlink(missing_ok=True)
        return Built(code, ran, stdout + stderr)

    def state_files(self, root: Path) -> list[Path]:
        return [
            path for path in sorted((root / "project").iterdir()) if path.name in self.state and path.name[0] == "."
        ]

    def code(self, code: int) -> int | None:
        return None


class Make(_Logged):
    """GNU make; depfiles are included, globs are $(wildcard)."""

    name = "make"
    state = frozenset({"Makefile"})

    def write(self, project: Path, steps: Sequence[Step]) -> None:
        made = [path for step in steps for path in step.outputs]
        lines = ["SHELL = /bin/sh", ".PHONY: all", f"all: {_joined(made, _make)}"]
        for step in steps:
            if "\n" in step.command:
                raise NotExpressible
            targets = _joined(step.outputs, _make) + (" &" if len(step.outputs) > 1 else "")
            command = step.command.replace("$", "$$")
            lines += [
                f"{targets}: {_joined(step.inputs + step.after, _make)}",
                f'\t@echo {step.name} >> "$$TRAP_RAN"; {command}',
            ]
            if step.depfile:
                lines.append(f"-include {step.depfile}")
        (project / "Makefile").write_text("\n".join(lines) + "\n")

    def argv(self, *, keep_going: bool = False) -> list[str]:
        return ["make", "-j2", *(["-k"] if keep_going else [])]


class Ninja(_Logged):
    """Ninja as PyPI has it; deps = gcc for depfiles."""

    name = "ninja"
    state = frozenset({"build.ninja", ".ninja_log", ".ninja_deps", ".ninja_lock"})

    def write(self, project: Path, steps: Sequence[Step]) -> None:
        self.write_manifest(project, manifest(steps))

    def write_manifest(self, project: Path, text: str) -> None:
        """Write a build.ninja whose rules are called like their steps."""
        logged = _COMMAND.sub(r'\1echo \3 >> "$$TRAP_RAN"; ', text)
        (project / "build.ninja").write_text(logged)

    def argv(self, *, keep_going: bool = False) -> list[str]:
        return [os.path.join(BIN_DIR, "ninja"), "-j2", *(["-k0"] if keep_going else [])]


class Windrow:
    """The real command in a process of its own, embedded, with a cache folder of its own."""

    name = "windrow"
    caches = True
    state = frozenset({"windrow.toml", ".windrow"})
    _ok = re.compile(r"^\[ *\d+/\d+\] +[\d.]+s ok +([^:\s]+):", re.MULTILINE)

    def write(self, project: Path, steps: Sequence[Step]) -> None:
        (project / "windrow.toml").write_text(self.toml(steps))

    def toml(self, steps: Sequence[Step]) -> str:
        """The project file for these steps."""
        lines = ["[project]", 'name = "trap"', "[scan]", 'ignore = [".git"]']
        for step in steps:
            command = step.command.replace("{", "{{").replace("}", "}}")
            lines += ["[[rule]]", f"name = {_toml(step.name)}", f"command = {_toml(command)}"]
            lines.append(f"outputs = {_toml(step.outputs)}")
            if step.depfile:
                (source,) = step.inputs
                lines += [f"each = {_toml(source)}", f"depfile = {_toml(step.depfile)}"]
            lines.append(f"inputs = {_toml(step.may_read if step.depfile else step.inputs)}")
            if step.pass_env:
                lines.append(f"pass_env = {_toml(step.pass_env)}")
        return "\n".join(lines) + "\n"

    def argv(self, *, keep_going: bool = False) -> list[str]:
        return [*self.command("build"), "--json", *(["--keep-going"] if keep_going else [])]

    def command(self, *words: str) -> list[str]:
        """The command line of any command."""
        return [sys.executable, "-m", "windrow", *words]

    def environment(self, root: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(root / "home"),
            "LC_ALL": "C.UTF-8",
            "PYTHONSAFEPATH": "1",
            "WINDROW_CACHE_DIR": str(root / "cache"),
        }

    def built(self, root: Path, code: int, stdout: str, stderr: str) -> Built:
        report: dict[str, Any] = json.loads(stdout) if stdout.startswith("{") else {}
        if report.get("schema") != "windrow.build/1":
            return Built(code, (), stdout + stderr, report)
        count = report.get("executed", 0) + report.get("failed", 0)
        names = self._ok.findall(stderr) + [failure["job"].split(":")[0] for failure in report.get("failures", ())]
        # A build that found its sources changed stops showing at once; what had run by then counts all the same.
        again = "looking again" in stderr and len(names) <= count
        assert len(names) == count or again, f"{names} were shown, {count} counted:\n{stdout}\n{stderr}"
        return Built(code, tuple(names), stdout + stderr, report)

    def code(self, code: int) -> int | None:
        return code

    def state_files(self, root: Path) -> list[Path]:
        folders = (root / "project" / ".windrow", root / "cache")
        return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


class WindrowNinja(Windrow):
    """`windrow ninja` on the build.ninja that ninja gets, with nothing else to go by."""

    name = "windrow-ninja"
    state = frozenset({"build.ninja", ".windrow"})

    def write(self, project: Path, steps: Sequence[Step]) -> None:
        self.write_manifest(project, manifest(steps))

    def write_manifest(self, project: Path, text: str) -> None:
        """Write a build.ninja whose rules are called like their steps."""
        (project / "build.ninja").write_text(text)

    def argv(self, *, keep_going: bool = False) -> list[str]:
        return [*self.command("ninja"), "--report", f"../{_REPORT}", *(["-k0"] if keep_going else [])]

    def run_here(self, argv: Sequence[str], project: Path, environ: Mapping[str, str]) -> tuple[int, str, str]:
        """As the command would in a process of its own, sooner: exit code, stdout, stderr."""
        words = argv[len(self.command("ninja")) :]
        before, here = dict(os.environ), Path.cwd()
        handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
        out, err = io.StringIO(), io.StringIO()
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(project)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = ends.ends_well(lambda: ninja.run(words), words)
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)
            for one, handler in handlers.items():
                signal.signal(one, handler)
        return code, out.getvalue(), err.getvalue()

    def built(self, root: Path, code: int, stdout: str, stderr: str) -> Built:
        told = root / _REPORT
        edges = json.loads(told.read_text())["edges"] if told.exists() else []
        told.unlink(missing_ok=True)
        ran = tuple(edge["rule"] for edge in edges if edge["how"] in ("executed", "failed"))
        return Built(code, ran, stdout + stderr)

    def code(self, code: int) -> int | None:
        # As ninja: a failed command's own code; 1 for whatever is wrong with what it was asked for.
        return {_FAILED: None, _USAGE: 1}.get(code, code)


def manifest(steps: Sequence[Step]) -> str:
    """The build.ninja for these steps."""
    lines = ["ninja_required_version = 1.5"]
    for step in steps:
        if "\n" in step.command or any(map(_GLOB.search, step.inputs)) or step.pass_env:
            raise NotExpressible
        lines += [f"rule {step.name}", f"  command = {step.command.replace('$', '$$')}"]
        if step.depfile:
            lines += ["  deps = gcc", f"  depfile = {_ninja(step.depfile)}"]
        inputs = _joined(step.inputs + step.after, _ninja)
        lines.append(f"build {_joined(step.outputs, _ninja)}: {step.name} {inputs}")
    return "\n".join(lines) + "\n"


ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Windrow(), WindrowNinja(), Make(), Ninja())}


def _joined(paths: Iterable[str], spelled: Any) -> str:
    return " ".join(map(spelled, paths))


def _make(path: str) -> str:
    if _GLOB.search(path):
        return f"$(wildcard {path})"
    return re.sub(r"([ #:])", r"\\\1", path.replace("$", "$$"))


def _ninja(path: str) -> str:
    return re.sub(r"([ :$])", r"$\1", path)


def _toml(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join(map(_toml, value)) + "]"
