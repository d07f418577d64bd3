"""How long detection, hashing and one change of a hundred rules take."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from shared import hashing
from tests.scenarios.rule_project import JOBS, RuleProject


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> RuleProject:
    """100 rules, built; shared by the tests that measure."""
    project = RuleProject(tmp_path_factory.mktemp("hundred") / "tree")
    for number in range(95):
        project.rule(f"{('backend', 'frontend')[number % 2]}/rule-{number:02d}", f"Rule {number}.\n" * 20)
    assert project.build().executed == JOBS + 95
    return project


def test_incremental_build_with_1_changed_file_in_100_rule_project(hundred: RuleProject) -> None:
    """S3-47, box 1 (W4-14): one .mdc and what it is in, in well under the time of a full build."""
    hundred.settle()
    hundred.rule("backend/rule-50", "Changed.")
    began = time.perf_counter()

    report = hundred.build()

    took = time.perf_counter() - began
    assert (report.planned, report.executed) == (4, 3)
    assert (len(report.changed), took < 2.0) == (2, True), took


def test_change_detection_overhead_for_100_files(hundred: RuleProject) -> None:
    """S3-47, box 2: less than 100 ms, the diff and an empty plan included."""
    hundred.settle()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        seen = hundred.look()
        times.append(time.perf_counter() - began)

    assert (seen.snapshot.hashed, bool(seen.plan)) == (0, False)
    assert min(times) < 0.1, times


def test_hash_computation_performance(tmp_path: Path) -> None:
    """S3-47, box 3: 32 MB in less than a second, in pieces that fit into memory."""
    path = tmp_path / "large"
    path.write_bytes(os.urandom(1 << 20) * 32)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        hash_, size = hashing.of_file(path)
        times.append(time.perf_counter() - began)

    assert (size, hash_) == (32 << 20, "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest())
    assert min(times) < 1.0, times
