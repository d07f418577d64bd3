"""The test files of the example, and which of them a dry run selects."""

from __future__ import annotations

from tests.scenarios.impact_project import RealImpact

LEAF, MID, CORE = ("tests/test_leaf00.py", "tests/test_mid00.py", "tests/test_core0.py")


def selected(space: RealImpact) -> dict[str, str]:
    said = space.console.run("test", "--dry-run", "--json").json()
    return {choice["test"]: choice["reason"] for choice in said["selected"]}
