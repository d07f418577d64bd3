"""TodoProject: the project of seed 001's tests; 50 modules, 52 test files, 102 jobs.

5 core modules, 15 middle ones that take in one of these, 30 leaves that take in one of those; a test for each
module and two that take in leaves. Every job reads the requirements. `include` is the toy compiler's import.
"""

from __future__ import annotations

from pathlib import Path

from tests.fakes.workspace import Workspace

RULES = """\
[project]
name = "{name}"

[[rule]]
name = "check"
each = "src/*.mod"
inputs = ["first/*.mod", "src/*.mod", "config/*"]
command = ["toy-cc", "-Ifirst", "-Isrc", "-Iconfig", "{{in}}"]
outputs = ["out/{{stem}}.ok"]
depfile = "out/{{stem}}.d"

[[rule]]
name = "test"
each = "tests/*.mod"
inputs = ["first/*.mod", "src/*.mod", "config/*"]
command = ["toy-cc", "-Ifirst", "-Isrc", "-Iconfig", "{{in}}"]
outputs = ["out/{{stem}}.passed"]
depfile = "out/{{stem}}.pd"
"""

CORES, MIDDLES, LEAVES = 5, 15, 30
MODULES, TESTS = CORES + MIDDLES + LEAVES, CORES + MIDDLES + LEAVES + 2
HEAD = "include requirements.txt\n"


class TodoProject(Workspace):
    """Nothing is built yet. A module in `first/`, where none is, would be found before the one in `src/`."""

    def __init__(self, root: Path, *, name: str = "todo", cache: Path | None = None) -> None:
        super().__init__(root, cache=cache)
        self.write("windrow.toml", RULES.format(name=name))
        self.write("config/requirements.txt", "toy==1\n")
        self.write("README.md", "# Todo\n")
        self.write("docs/usage.md", "# Usage\n")
        for number in range(CORES):
            self.module(f"core{number}")
        for number in range(MIDDLES):
            self.module(f"mid{number:02d}", f"core{number % CORES}")
        for number in range(LEAVES):
            self.module(f"leaf{number:02d}", f"mid{number % MIDDLES:02d}")
        self.test("flow", "leaf00", "leaf01")
        self.test("cli", "leaf02")

    def module(self, name: str, *needs: str, text: str = "") -> str:
        """Write a module and its test; the module's path."""
        if not self.exists(f"tests/test_{name}.mod"):
            self.test(name, name)
        path = f"src/{name}.mod"
        self.write(path, HEAD + "".join(f"include {need}.mod\n" for need in needs) + (text or f"the {name}\n"))
        return path

    def test(self, name: str, *needs: str) -> str:
        """Write a test file; its path."""
        path = f"tests/test_{name}.mod"
        self.write(path, HEAD + "".join(f"include {need}.mod\n" for need in needs) + f"tests {name}\n")
        return path

    def edit(self, path: str, line: str = "edited\n") -> None:
        """Add a line to a file."""
        self.write(path, self.read(path) + line)

    def ran(self, rule: str) -> set[str]:
        """The stems of the files for which the last build ran this rule's command."""
        return {Path(job).stem for job in self.performed if job.startswith(f"{rule}:")}
