"""What the rules compile to, and what a scan remembered of the tree."""

from __future__ import annotations

from coordinator.scan.scanner import STATE_FILE
from coordinator.scan.statcache import StatCache
from tests.scenarios.rule_project import FINAL, RuleProject

SUMMARIES = ".context/build/summaries"
EVERYTHING = {*FINAL, SUMMARIES}
AGGREGATES = {"CLAUDE.md", "AGENTS.md"}


def entries(project: RuleProject) -> StatCache:
    return StatCache.load(project.root / ".windrow" / STATE_FILE)
