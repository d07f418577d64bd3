"""What starting a command costs: what `--help` and a build with nothing to do import, and what they must not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.console import Console

# What belongs to farms, buckets, terminals and borders.
SERVICES = {"celery", "kombu", "boto3", "botocore", "redis", "grpc", "pydantic", "rich", "obstore"}
HEAVY = {*SERVICES, "asyncio", "importlib.metadata", "multiprocessing", "concurrent", "ssl", "http", "email"}
RULE = """\
[project]
name = "lean"

[[rule]]
name = "copy"
each = "*.txt"
command = "cp {in} {out}"
outputs = ["out/{stem}"]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/windrow.toml").write_text(RULE)
    (tmp_path / "tree/a.txt").write_text("a\n")
    return Console(tmp_path / "tree", tmp_path / "cache")


def imported(shell: Console, *words: str) -> set[str]:
    """Every module that a command has imported, as Python itself tells."""
    said = shell.run(*words, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert said.code == 0, said.err
    return set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", said.err, re.MULTILINE))


def heavy(modules: set[str]) -> set[str]:
    """Those of the heavy ones of which anything was imported."""
    return {one for one in HEAVY if any(name == one or name.startswith(f"{one}.") for name in modules)}


def test_a_build_with_nothing_to_do_imports_nothing_heavy(shell: Console) -> None:
    shell.run("build")
    shell.run("build")

    modules = imported(shell, "build")

    assert heavy(modules) == set()
    assert not {
        name for name in modules if name.startswith(("workers", "coordinator.dispatch.f", "coordinator.history.r"))
    }


def test_help_imports_no_command(shell: Console) -> None:
    modules = imported(shell, "--help")

    assert {name for name in modules if name.startswith(("coordinator", "workers"))} == set()
    assert heavy(modules) == set()


@pytest.mark.parametrize("command", ["build", "plan", "status", "worker", "doctor", "farm"])
def test_the_help_of_a_command_imports_no_service(shell: Console, command: str) -> None:
    modules = imported(shell, command, "--help")

    # What a farm says on its queue is checked by pydantic.
    assert heavy(modules) & SERVICES <= ({"pydantic"} if command == "farm" else set())


def test_a_real_build_here_imports_no_farm_and_no_bucket(shell: Console) -> None:
    modules = imported(shell, "build")

    assert heavy(modules) & SERVICES == set()
    assert any(name.startswith("workers") for name in modules)


def test_the_profile_sees_what_is_imported(shell: Console) -> None:
    """Or else the tests above would pass whatever happened."""
    modules = imported(shell, "--help")

    assert {"cli.main", "click"} <= modules
