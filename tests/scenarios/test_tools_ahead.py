"""A machine that does not know its tools yet looks at them while the build looks at its base and at the tree."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from shared.errors import ToolMissing
from tests.scenarios.real_workspace import RealWorkspace

TOML = """
[project]
name = "tools"
[toolchain]
tools = ["{tool}"]
[[rule]]
name = "copy"
inputs = ["in"]
command = "cp {{in}} {{out}}"
outputs = ["out"]
"""


def workspace(folder: Path, cache: Path, *, tool: str = "cp") -> RealWorkspace:
    made = RealWorkspace(folder, cache=cache)
    made.write("windrow.toml", TOML.format(tool=tool))
    made.write("in", "in\n")
    return made


def test_it_knows_the_same_tools_and_looks_once(tmp_path: Path) -> None:
    first, second = workspace(tmp_path / "a", tmp_path / "one"), workspace(tmp_path / "b", tmp_path / "two")
    project = first.project()
    project.tools.look_ahead()
    ahead = [thread for thread in threading.enumerate() if thread.name == "windrow-tools"]
    told = project.tools.platform()

    assert len(ahead) <= 1
    assert not any(thread.is_alive() for thread in ahead)
    assert told == second.project().tools.platform()
    again = first.project()
    again.tools.look_ahead()
    assert again.tools._looking is None


def test_a_tool_that_is_not_there_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-tool"):
        workspace(tmp_path / "a", tmp_path / "cache", tool="no-such-tool").build()
