"""Which tests a change set selects, shards, and what a JUnit report says."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from cli.junit import report
from coordinator.importers.pytests.shards import shards
from coordinator.select.selector import select
from coordinator.testing import TestFile
from shared.model.changes import ChangeSet
from shared.model.tests import MappedTest, TestMap
from shared.pytest_record import TestRecord, split

VIA = {"t1.py": "", "a.py": "t1.py", "b.py": "a.py"}
MAP = TestMap(
    {
        "t1.py": MappedTest(("a.py", "b.py", "cfg", "data", "t1.py"), VIA),
        "t2.py": MappedTest(("c.py", "cfg", "data", "t2.py"), {"t2.py": "", "c.py": "t2.py"}),
        "crit.py": MappedTest(("a.py", "b.py", "c.py", "cfg", "crit.py", "data"), {"crit.py": ""}, critical=True),
    },
    config=frozenset({"cfg"}),
    support=frozenset({"data"}),
)
BEFORE = {test: mapped.files for test, mapped in MAP.tests.items()}


def told(changes: ChangeSet, **more: object) -> dict[str, str]:
    found = select(changes, MAP, more.pop("before", BEFORE), **more)  # type: ignore[arg-type]
    return {choice.test: choice.reason for choice in found.selected}


@pytest.mark.parametrize(
    ("changes", "selected"),
    [
        (ChangeSet(), {}),
        (ChangeSet(modified=("t1.py",)), {"t1.py": "t1.py changed"}),
        (ChangeSet(modified=("b.py",)), {"t1.py": "b.py changed", "crit.py": "b.py changed, and it is critical"}),
        (ChangeSet(deleted=("c.py",)), {"t2.py": "c.py is gone", "crit.py": "c.py is gone, and it is critical"}),
        (ChangeSet(modified=("cfg",)), dict.fromkeys(MAP.tests, "cfg changed, and it is configuration")),
        (ChangeSet(modified=("data",)), dict.fromkeys(MAP.tests, "data changed, and nothing says which tests read it")),
        (ChangeSet(modified=("README.md",)), {}),
    ],
)
def test_a_change_selects_the_tests_that_depend_on_it(changes: ChangeSet, selected: dict[str, str]) -> None:
    """S1-41 to S1-45, C19, C21, C22."""
    assert told(changes) == selected


def test_a_file_that_was_reached_before_and_is_gone_counts() -> None:
    before = {**BEFORE, "t2.py": (*BEFORE["t2.py"], "old.py")}

    assert told(ChangeSet(deleted=("old.py",)), before=before) == {"t2.py": "old.py is gone"}


def test_without_a_map_of_before_everything_runs_and_so_it_does_when_asked() -> None:
    assert set(told(ChangeSet(), before=None)) == set(MAP.tests)
    assert set(told(ChangeSet(), run_all=True)) == set(MAP.tests)


def test_the_chain_and_the_reason_of_a_skip_are_told() -> None:
    """S1-68."""
    found = select(ChangeSet(modified=("b.py",)), MAP, BEFORE)

    assert {choice.test: choice.chain for choice in found.selected}["t1.py"] == ("t1.py", "a.py", "b.py")
    assert [(choice.test, choice.reason) for choice in found.skipped] == [
        ("t2.py", "none of the 4 files it depends on changed")
    ]
    docs = select(ChangeSet(modified=("README.md",)), MAP, BEFORE, docs={"README.md"})
    assert {choice.reason for choice in docs.skipped} == {"only documentation changed"}


def test_a_map_answers_both_ways() -> None:
    """S1-89."""
    assert set(MAP.tests_for("c.py")) == {"t2.py", "crit.py"}
    assert MAP.files_for("t2.py") == ("c.py", "cfg", "data", "t2.py")


def test_shards_are_balanced_at_first_and_hold_still_afterwards() -> None:
    seconds = {"slow": 10.0, "b": 4.0, "c": 3.0, "d": 3.0}
    first = shards(seconds, 2, seconds, {})
    held = {shard.name: shard.tests for shard in first}

    assert sorted(sum(seconds[test] for test in shard.tests) for shard in first) == [10.0, 10.0]
    assert shards(seconds, 2, {**seconds, "slow": 1.0}, held) == first
    grown = shards([*seconds, "new"], 2, {**seconds, "slow": 1.0}, held)
    assert next(shard for shard in grown if "new" in shard.tests).tests == ("new", "slow")
    assert all(set(held[shard.name]) <= set(shard.tests) for shard in grown)


def test_a_record_is_told_apart_from_what_else_was_printed() -> None:
    assert split("one\nwindrow.test/1 {}\ntwo") == ("one\ntwo", "{}")
    assert split("no record\n") == ("no record\n", "")


def test_a_junit_report_has_a_suite_a_file_and_a_case_a_test() -> None:
    record = TestRecord(
        success=False,
        passed=1,
        failed=1,
        total=2,
        test_command="pytest",
        tests={"t/test_a.py::test_ok": "passed", "t/test_a.py::Case::test_bad": "failed"},
        seconds={"t/test_a.py::test_ok": 0.25},
        texts={"t/test_a.py::Case::test_bad": "E assert \x00 1 == 2"},
    )
    root = ET.fromstring(
        report(
            [
                TestFile("t/test_a.py", "failed", "it changed", record, 1.5),
                TestFile("t/test_b.py", "failed", "it changed"),
            ]
        )
    )

    first, second = root.findall("testsuite")
    assert (first.get("tests"), first.get("failures"), first.get("errors"), first.get("time")) == (
        "2",
        "1",
        "0",
        "1.500",
    )
    assert [(case.get("classname"), case.get("name")) for case in first.iter("testcase")] == [
        ("t.test_a", "test_ok"),
        ("t.test_a.Case", "test_bad"),
    ]
    assert [told.get("message") for told in first.iter("failure")] == ["E assert  1 == 2"]
    assert (second.get("errors"), len(list(second.iter("testcase")))) == ("1", 1)
