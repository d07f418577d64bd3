"""ImpactProject: the project of examples/impact in a throw-away folder, performed in this process or for real."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from coordinator import build as building
from coordinator.dispatch.inline import InlinePerformer
from coordinator.plan.explain import sentence
from coordinator.project import Project
from coordinator.request import Request
from coordinator.select.selector import Selection
from coordinator.survey import Survey
from coordinator.testing import chosen
from tests.fakes.quick_python import QuickPython
from tests.fakes.workspace import Workspace
from tests.scenarios.real_workspace import RealWorkspace

ROOT = Path(__file__).resolve().parents[2]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("impact_todo", ROOT / "examples/impact/todo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


todo = _generator()
MODULES, TESTS = 50, 52
ALL = MODULES + TESTS
CRITICAL = {"tests/test_flow.py", "tests/test_cli.py"}


class Impact:
    """What both kinds share; mixed into a workspace."""

    def write_project(self: Workspace, name: str = "todo") -> None:  # type: ignore[misc]
        self.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.environ['PATH']}"
        todo.write(self.root, name)

    def edit(self: Workspace, *names: str, line: str = "# edited\n") -> None:  # type: ignore[misc]
        """Add a line to modules by name, or to files by path."""
        for name in names:
            path = name if "/" in name or "." in name else f"src/todo/{name}.py"
            self.write(path, self.read(path) + line)

    def look(self: Workspace, **request: object) -> tuple[Survey, Selection]:  # type: ignore[misc]
        """What a build would do now, and what that means for the tests."""
        project = self.project()
        seen = building.look(project, Request(**request))  # type: ignore[arg-type]
        return seen, chosen(project, seen.plan, seen.graph.tests if seen.graph else None, sentence)


class ImpactProject(Impact, Workspace):
    """Performed in this process, test functions and all."""

    def __init__(self, root: Path, *, name: str = "todo", cache: Path | None = None, written: bool = False) -> None:
        super().__init__(root, cache=cache)
        if written:
            self.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.environ['PATH']}"
        else:
            self.write_project(name)

    def _performer(self, project: Project, _commands: int) -> InlinePerformer:
        self.toy = QuickPython(project.stores.blobs, project.stores.results)  # type: ignore[assignment]
        return InlinePerformer(self.toy.perform, lambda: None, 2)

    def ran(self, rule: str) -> set[str]:
        """What the last build executed of a rule: stems."""
        return {Path(job).stem for job in self.performed if job.startswith(f"{rule}:")}


class RealImpact(Impact, RealWorkspace):
    """Performed by real workers with a real pytest."""

    def __init__(self, root: Path, *, cache: Path | None = None) -> None:
        super().__init__(root, cache=cache)
        self.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.environ['PATH']}"
        self.console.variables["PATH"] = self.environ["PATH"]

    def small(self, modules: tuple[str, ...]) -> None:
        """Write some modules of the project with what they need, and their tests."""
        everything = todo.files()
        wanted = {"windrow.toml", "tools/check.py", "requirements.txt", "pyproject.toml", "README.md", ".gitignore"}
        for name in modules:
            wanted |= {f"src/todo/{name}.py", f"tests/test_{name}.py"}
        for path in sorted(wanted):
            self.write(path, everything[path])
