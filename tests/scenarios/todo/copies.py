"""CopyProject, small copies by real commands; and how many jobs a list of things to do has."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.real_workspace import RealWorkspace
from tests.scenarios.todo_project import MODULES, TESTS

ALL = MODULES + TESTS


class CopyProject(RealWorkspace):
    """Every text file is copied by a real command; so is the configuration, and the README is read by nobody."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write(
            "windrow.toml",
            '[project]\nname = "copies"\n\n[[rule]]\nname = "copy"\neach = "src/*.txt"\ninputs = ["requirements.txt"]\n'
            'command = "cat requirements.txt {in} > {out}"\noutputs = ["out/{stem}"]\n',
        )
        self.write("requirements.txt", "one==1\n")
        self.write("README.md", "# Copies\n")
        for name in "abcde":
            self.write(f"src/{name}.txt", f"{name}\n")
